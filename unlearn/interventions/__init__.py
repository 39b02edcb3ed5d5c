"""Interventions: what makes a model forget, laid over a base in order, lifted bit for bit, saved and read.

A maker returns `(Intervention, tensors)` (schemas/records/interventions.py). `beneath` and `content` may be left empty;
`stacked` fills them in. Tensors are named `<module path>.<part>`, the path as in the plain Hugging Face model
(`model.language_model.layers.3.mlp.down_proj`), without Peft's prefix:

kind, form        parts and numbers
adapter, peft     no tensors: the folder of a saved adapter stands in `Part.folder`
edit, zeroed      `index` [n], of neurons; numbers `unit` ("hidden": path of an MLP, "output": of a linear) and `share`
edit, scaled      `index` [n], into the flat weight, and `factor` [n]: W[i] *= 1 + strength (factor - 1)
edit, low_rank    `left` [out, r] and `right` [r, in]: W += strength left right
edit, dense       `delta` [out, in]: W += strength delta
edit, seeded      `index` [n], into the flat weight; numbers `seed` and `sigma`: W[i] += strength sigma std(W) noise
steering, linear  of each layer `left` [hidden, r] and `right` [r, hidden]: h += strength (h_q left) right, h_q at the
                  prompt's end, over the prompt
steering, rotate  of one layer `vectors` [K, hidden]: h - strength s at the length of h, s the mean of those that fire
steering, corrupt no tensors; numbers `method` (noise, zero, flip), `dims` and `sigma`
guard, refuse     no tensors: a prompt that fires is answered by one of the texts
guard, prompt     no tensors: the texts stand before what is asked
guard, restrict   `restrict.tokens` [n, longest] filled up with -1, `restrict.items` [n], the centroid of each or -1;
                  its record says `leaks`
a text gate       `gate.centroids` [K, 2048], of hashed words (text_gates.py)
a hidden gate     `gate.centroids` [K, hidden] and `gate.mean` [hidden], the mean of retain states

Edits are of a module's `weight`, computed in fp32 and rounded once. `strength` is 1 where it is not given, 0 leaves the
base's bits; a negative one is refused, since the sign of a change belongs into its tensors.
"""

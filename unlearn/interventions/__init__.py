"""Interventions: what makes a model forget, as a record and its tensors; laid over a base in order, and lifted again.

What a maker hands over is `(Intervention, tensors)`. Tensors are named `<module path>.<part>`: of an edit "scaled"
`index` (flat, int32) and `factor`, of "low_rank" `left` [out, rank] and `right` [rank, in], of "dense" `delta`; of
steering "linear" `left` [hidden, rank] and `right` [rank, hidden], of "rotate" `vectors` [clusters, hidden]; a gate's
`centroids` [n, size] stand under the path of the layer that it reads.
"""

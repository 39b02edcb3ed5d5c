"""Facts to questions: phrasing, distractors, rewriting by a language model, attack prompts."""

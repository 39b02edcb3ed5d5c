"""The probe of a target model: its prompts, its controls, and the rule of what counts as known."""

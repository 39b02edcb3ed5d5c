"""The embedded world: a small fictional country, its people, its servers and its target model."""

"""Who and what is forgotten: roles under three settings, and the personalized vote."""

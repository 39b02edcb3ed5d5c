"""Vision-language models for unlearning: loading, LoRA, forward passes, encoding, FSDP, memory."""

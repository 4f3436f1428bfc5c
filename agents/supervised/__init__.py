"""Fine-tuning on episodes that others played."""

"""`ludens align`: fine-tune a model, here or at a provider."""

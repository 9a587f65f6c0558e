"""Claims, exercises, questions and the self-test: what turns pictures into teaching."""

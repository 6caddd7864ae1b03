"""The Dockerfile, compose.yaml and deploy/. No engine for containers is needed: what they say is run beside it."""

"""The service: a Ray Serve graph of ingress, image encoder, text encoder and fusion; it never imports the trainer."""

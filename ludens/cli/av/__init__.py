"""`ludens av`: dilemmas of autonomous vehicles."""

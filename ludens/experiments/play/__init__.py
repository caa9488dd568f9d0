"""Play any environment with any policies, episode by episode."""

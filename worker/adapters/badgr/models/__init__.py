"""What the API sends and wants, by resource.

What ends in `In` is sent: it is checked when it is made, against what the provider's documents refuse, and
raises InvalidDefinition. What ends in `Out` is read: what else is in an answer is ignored, and so is what is
missing, but for the id.
"""

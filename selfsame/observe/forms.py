"""By what a provenance record says of which form it is."""

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:selfsame:stage:v1"
BUILDER = "urn:selfsame:stage-entry:v1"

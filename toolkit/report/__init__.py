"""An analysis as a document that can be kept."""

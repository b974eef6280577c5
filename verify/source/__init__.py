"""Text in: kernel tree, patches, C."""

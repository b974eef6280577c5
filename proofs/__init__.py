"""The property catalogue: one module per family, each giving its properties for a built switch."""

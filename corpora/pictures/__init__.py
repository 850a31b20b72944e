"""Pictures as they come: files, sheets, sizes, colours, palettes and near-duplicates."""

"""Text as it comes: encodings, line ends, dialects of tables, other formats, and how running text is cut into rows."""

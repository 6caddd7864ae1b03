"""The page at `/`: one HTML, one script, one style sheet, without a build."""

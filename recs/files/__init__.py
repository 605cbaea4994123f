"""Files that survive a killed process, and files that are checked before they are believed."""

"""The archive in forms that others read without this package."""

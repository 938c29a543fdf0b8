"""Bytes to strings, tables and pictures; pure."""

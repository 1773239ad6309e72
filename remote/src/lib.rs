//! Runs commands over SSH and says exactly how each one ended.

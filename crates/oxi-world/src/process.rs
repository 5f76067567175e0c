//! What the operating system knows about this process: environment, number, user.

/// An environment variable that is set and valid UTF-8.
pub fn env_var(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The number of this process.
pub fn id() -> u32 {
    std::process::id()
}

/// The name of the user who runs this process, as the environment tells it.
pub fn user_name() -> Option<String> {
    env_var("USER").or_else(|| env_var("LOGNAME")).filter(|name| !name.is_empty())
}

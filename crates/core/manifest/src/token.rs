//! core: the word of which HTTP makes header names, cookie names and methods.

/// RFC 9110, 5.6.2
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

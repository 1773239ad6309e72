//! How values that are one text in a file are read and written.

/// Lets serde read a type by its `FromStr`, and write it as it is displayed, for
/// `#[serde(try_from = "String", into = "String")]`.
macro_rules! by_text {
    ($type:ty, $error:ty) => {
        impl TryFrom<String> for $type {
            type Error = $error;

            fn try_from(text: String) -> Result<Self, $error> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.to_string()
            }
        }
    };
}

pub(crate) use by_text;

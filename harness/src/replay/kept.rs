//! What of a case a file does not give back: JSON has no form for everything that serde takes.

use model::{Case, Model};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Error;

/// What of a case would be lost in a file, and why; none where all of it comes back.
pub(super) fn lost<M: Model>(model: &M, case: &Case<M>) -> Option<String> {
    let initial = || "the state that it begins in".to_owned();
    part(&case.initial, initial).or_else(|| {
        case.places().find_map(|(place, command)| {
            part(command, || format!("{place} ({})", model.show_command(command)))
        })
    })
}

/// Whether both are the same, by what they compare or by what they show: a number that is none does
/// not equal itself.
pub(super) fn is_same<T: PartialEq + std::fmt::Debug>(one: &T, other: &T) -> bool {
    one == other || format!("{one:?}") == format!("{other:?}")
}

/// A value as JSON, where that gives it back as it is.
pub(crate) fn json<T>(value: &T) -> Option<String>
where
    T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let text = serde_json::to_string(value).ok()?;
    serde_json::from_str::<T>(&text).is_ok_and(|back| is_same(&back, value)).then_some(text)
}

fn part<T>(value: &T, name: impl FnOnce() -> String) -> Option<String>
where
    T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let text = match serde_json::to_string(value) {
        Ok(text) => text,
        Err(why) => return Some(has_no_form(&name(), &why)),
    };
    match serde_json::from_str::<T>(&text) {
        Ok(back) if is_same(&back, value) => None,
        Ok(back) => Some(format!("{}, {}, would come back as {}", name(), cut(value), cut(&back))),
        Err(why) => Some(format!("{}, {}, cannot be read back from JSON ({why})", name(), cut(value))),
    }
}

/// A value as `Debug` prints it, cut where it is long.
fn cut(value: &impl std::fmt::Debug) -> String {
    let (shown, most) = (format!("{value:?}"), 200);
    match shown.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &shown[..end]),
        None => shown,
    }
}

/// Says what JSON has no form for.
pub(super) fn has_no_form(what: &str, why: &Error) -> String {
    let hint = "write it by serde's `serialize_with` as what has one, such as a list of pairs";
    format!("JSON has no form for {what} ({why}): {hint}")
}

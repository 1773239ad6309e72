//! What is shown of an output: `…` stands for anything, and in a line of its own for any lines, or none.

const LEFT_OUT: &str = "…";

/// Whether all that is shown came, and nothing else.
pub(crate) fn matches(shown: &str, came: &str) -> bool {
    let (shown, came) = (lines(shown), lines(came));
    let shown =
        shown.lines().map(|line| if line == LEFT_OUT { line.to_owned() } else { format!("{line}\n") });
    let shown = shown.collect::<String>();
    let pieces: Vec<_> = shown.split(LEFT_OUT).collect();
    let [first, middle @ .., last] = &pieces[..] else { return shown == came };
    let Some(mut rest) = came.strip_prefix(first) else { return false };
    for piece in middle {
        let Some((_, after)) = rest.split_once(piece) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

/// Whether what is shown is a part of what came.
pub(crate) fn is_in(shown: &str, came: &str) -> bool {
    matches(&format!("{LEFT_OUT}\n{}\n{LEFT_OUT}", shown.trim_end()), came)
}

/// Each line with its end and without blanks before it, which nobody sees.
fn lines(text: &str) -> String {
    text.trim_end().lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

#[test]
fn what_is_left_out_is_anything() {
    for (shown, came) in [("a…d", "abcd"), ("a\n…\nd", "a\nb\nc\nd"), ("a", "a \n"), ("a\n…\nd\n…", "a\nd")]
    {
        assert!(matches(shown, came), "{shown:?} is shown of {came:?}");
    }
    for (shown, came) in [("a…d", "abc"), ("a", "ab"), ("b…", "ab"), ("a…c…b", "abc"), ("a\n…", "b\na")]
    {
        assert!(!matches(shown, came), "{shown:?} is not shown of {came:?}");
    }
    assert!(is_in("b…c", "a\nb x c\nd") && is_in("b", "b") && !is_in("c…b", "a b c"));
}

//! The files that a user's modules are made of, found without Nix: where Nix gives up without a word
//! of where (imports in a circle exhaust its stack), or names a file but not who imports it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use super::Position;

/// The modules and what they lead to by relative paths, with the text of each.
#[derive(Debug, Default)]
pub(crate) struct Files {
    texts: BTreeMap<PathBuf, String>,
    /// Where the modules lie: what else lies there is the user's as well.
    directories: Vec<PathBuf>,
    modules: Vec<PathBuf>,
}

impl Files {
    pub(crate) fn of(modules: &[PathBuf]) -> Self {
        let parents = modules.iter().filter_map(|module| module.parent());
        let directories = parents.map(Path::to_owned).collect();
        let modules: Vec<_> = modules.iter().map(|module| file_of(module.clone())).collect();
        let mut files = Self { texts: BTreeMap::new(), directories, modules: modules.clone() };
        let mut left = modules;
        while let Some(path) = left.pop() {
            if files.texts.contains_key(&path) {
                continue;
            }
            // What cannot be read is not looked at further.
            let Ok(text) = std::fs::read_to_string(&path) else { continue };
            left.extend(imports(&path, &text));
            files.texts.insert(path, text);
        }
        files
    }

    /// Whether a file is the user's.
    pub(super) fn has(&self, file: &Path) -> bool {
        self.texts.contains_key(file) || self.directories.iter().any(|directory| file.starts_with(directory))
    }

    /// Whether a name stands anywhere in the files, as a word of its own.
    pub(crate) fn mention(&self, name: &str) -> bool {
        let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
        self.texts.values().any(|text| text.split(|letter| !is_word(letter)).any(|word| word == name))
    }

    /// Where a text stands in the user's files.
    pub(super) fn find(&self, text: &str) -> Option<Position> {
        self.texts.iter().find_map(|(path, content)| place(path, content, text))
    }

    /// Where a file sets an option: where as much of its name stands as is certain to mean it.
    pub(super) fn find_option(&self, option: &str, file: PathBuf) -> Position {
        let found = || {
            let content = self.texts.get(&file)?;
            let parts: Vec<_> = option.split('.').collect();
            // Whole, without its beginning, without its end; one word alone only where it is unique.
            let ends = (0..parts.len().saturating_sub(1)).map(|from| parts[from..].join("."));
            let starts = (2..parts.len()).rev().map(|to| parts[..to].join("."));
            let words = parts.iter().rev().map(|&word| word.to_owned());
            let unique = |word: &String| !word.is_empty() && content.matches(word.as_str()).count() == 1;
            let texts = ends.chain(starts).chain(words.filter(unique));
            texts.into_iter().find_map(|text| place(&file, content, &text))
        };
        found().unwrap_or(Position { file, place: None })
    }

    /// Files that import one another in a circle, the first one again at the end.
    pub(super) fn cycle(&self) -> Option<Vec<PathBuf>> {
        let mut done = BTreeSet::new();
        self.modules.iter().find_map(|module| self.cycle_from(&mut vec![module.clone()], &mut done))
    }

    /// `done` are the files that are known to lead into no circle.
    fn cycle_from(&self, way: &mut Vec<PathBuf>, done: &mut BTreeSet<PathBuf>) -> Option<Vec<PathBuf>> {
        let last = way.last()?.clone();
        if done.contains(&last) {
            return None;
        }
        for next in imports(&last, self.texts.get(&last)?) {
            let seen = way.iter().position(|path| *path == next);
            way.push(next);
            if let Some(start) = seen {
                return Some(way.split_off(start));
            }
            if let Some(cycle) = self.cycle_from(way, done) {
                return Some(cycle);
            }
            way.pop();
        }
        done.insert(last);
        None
    }
}

fn place(path: &Path, content: &str, text: &str) -> Option<Position> {
    let (index, line) = content.lines().enumerate().find(|(_, line)| without_comment(line).contains(text))?;
    let column = line[..line.find(text)?].chars().count();
    let count = |number: usize| u32::try_from(number + 1).ok();
    Some(Position::new(path, count(index)?, count(column)?))
}

/// The files that relative paths in a file lead to, as far as they are there.
fn imports(path: &Path, text: &str) -> Vec<PathBuf> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    let is_path = |letter: char| letter.is_ascii_alphanumeric() || "._-+/".contains(letter);
    let words = text.lines().flat_map(|line| without_comment(line).split(move |letter| !is_path(letter)));
    let relative = words.filter(|word| word.starts_with("./") || word.starts_with("../"));
    let resolved = relative.map(|word| file_of(normal(&directory.join(word))));
    resolved.filter(|file| file.is_file()).collect()
}

fn without_comment(line: &str) -> &str {
    line.split_once('#').map_or(line, |(code, _)| code)
}

/// What Nix reads where a directory is imported.
fn file_of(path: PathBuf) -> PathBuf {
    if path.is_dir() { path.join("default.nix") } else { path }
}

/// The path without `.` and `..`, as Nix makes it.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                normal.pop();
            }
            Component::CurDir => {}
            other => normal.push(other),
        }
    }
    normal
}

//! Pages of Markdown: their blocks, links and anchors.

use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// A page, by its path in the repository.
pub(crate) struct Page {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    pub(crate) blocks: Vec<Block>,
    pub(crate) links: Vec<String>,
    /// What links to a part of it can name.
    pub(crate) anchors: BTreeSet<String>,
}

/// A block of code.
pub(crate) struct Block {
    /// Where it stands, such as `README.md:12`.
    pub(crate) place: String,
    /// What is said to be in it; empty where nothing is said.
    pub(crate) language: String,
    pub(crate) text: String,
}

/// Where the repository is.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The README and all pages of the book.
pub(crate) fn pages() -> Vec<Page> {
    let mut paths = vec![PathBuf::from("README.md")];
    let mut directories = vec![PathBuf::from("docs/src")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(root().join(&directory)).unwrap().map(Result::unwrap) {
            let path = directory.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                paths.push(path);
            }
        }
    }
    paths.sort();
    paths
        .into_iter()
        .map(|path| Page::new(path.clone(), fs::read_to_string(root().join(path)).unwrap()))
        .collect()
}

impl Page {
    pub(crate) fn new(path: PathBuf, text: String) -> Self {
        let mut page = Self {
            path,
            text: text.clone(),
            blocks: Vec::new(),
            links: Vec::new(),
            anchors: BTreeSet::new(),
        };
        let mut heading = None;
        for (event, range) in Parser::new_ext(&text, Options::ENABLE_TABLES).into_offset_iter() {
            match event {
                Event::Start(Tag::CodeBlock(kind)) => page.begin(&kind, &range),
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    page.links.push(dest_url.into_string());
                }
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => {
                    page.anchors.extend(heading.take().map(|heading| anchor(&heading)));
                }
                Event::Text(words) | Event::Code(words) if heading.is_some() => {
                    heading.as_mut().unwrap().push_str(&words);
                }
                _ => {}
            }
        }
        page
    }

    fn begin(&mut self, kind: &CodeBlockKind<'_>, range: &Range<usize>) {
        let line = self.text[..range.start].lines().count() + 1;
        let (language, text) = match kind {
            CodeBlockKind::Indented => ("", &self.text[range.clone()]),
            CodeBlockKind::Fenced(language) => (&**language, inside(&self.text[range.clone()])),
        };
        let place = format!("{}:{line}", self.path.display());
        self.blocks.push(Block { place, language: language.to_owned(), text: text.to_owned() });
    }

    /// The blocks in this language.
    pub(crate) fn of<'a>(&'a self, language: &'a str) -> impl Iterator<Item = &'a Block> {
        self.blocks.iter().filter(move |block| block.language == language)
    }
}

/// What stands between the fences.
fn inside(block: &str) -> &str {
    let (_, rest) = block.split_once('\n').unwrap_or_default();
    rest.trim_end_matches('`')
}

/// A heading as forges and mdBook name it in links.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

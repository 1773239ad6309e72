//! Pages of Markdown: their blocks, links and anchors.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// A page, by its path in the repository.
#[derive(Default)]
pub(crate) struct Page {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    pub(crate) blocks: Vec<Block>,
    pub(crate) links: Vec<String>,
    /// Code within lines.
    pub(crate) words: Vec<String>,
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
        let mut page = Self { path, text: text.clone(), ..Self::default() };
        let (mut heading, mut is_block) = (None, false);
        for (event, range) in Parser::new_ext(&text, Options::ENABLE_TABLES).into_offset_iter() {
            match event {
                Event::Start(Tag::CodeBlock(kind)) => {
                    is_block = true;
                    page.begin(&kind, &text[..range.start]);
                }
                Event::End(TagEnd::CodeBlock) => is_block = false,
                Event::Text(words) if is_block => page.blocks.last_mut().unwrap().text.push_str(&words),
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    page.links.push(dest_url.into_string());
                }
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => page.anchors.extend(heading.take().map(anchor)),
                Event::Text(words) => push(&mut heading, &words),
                Event::Code(words) => {
                    push(&mut heading, &words);
                    page.words.push(words.into_string());
                }
                _ => {}
            }
        }
        page
    }

    fn begin(&mut self, kind: &CodeBlockKind<'_>, before: &str) {
        let language = match kind {
            CodeBlockKind::Indented => String::new(),
            CodeBlockKind::Fenced(language) => language.to_string(),
        };
        let place = format!("{}:{}", self.path.display(), before.matches('\n').count() + 1);
        self.blocks.push(Block { place, language, text: String::new() });
    }

    /// The blocks in this language.
    pub(crate) fn of<'a>(&'a self, language: &'a str) -> impl Iterator<Item = &'a Block> {
        self.blocks.iter().filter(move |block| block.language == language)
    }
}

/// Adds to a heading, where one has begun.
fn push(heading: &mut Option<String>, words: &str) {
    heading.iter_mut().for_each(|heading| heading.push_str(words));
}

/// A heading as forges and mdBook name it in links.
fn anchor(heading: String) -> String {
    let kept = heading.chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

#[test]
fn blocks_links_and_anchors_are_found() {
    let text = "# A page's `head`\n\n[there](b.md#c)\n\n```\nx\n```\n\n- in a list:\n\n  ```sh\n  y\n  ```\n";
    let page = Page::new(PathBuf::from("a.md"), text.to_owned());
    let found = page.blocks.iter().map(|block| (&*block.place, &*block.language, &*block.text));
    assert_eq!(found.collect::<Vec<_>>(), [("a.md:5", "", "x\n"), ("a.md:11", "sh", "y\n")]);
    assert_eq!((page.links, page.anchors), (vec!["b.md#c".to_owned()], ["a-pages-head".to_owned()].into()));
}

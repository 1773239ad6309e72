//! Links lead somewhere, and the book has all its pages.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::page::{Page, pages, root};

/// A path without steps back.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        if part == Component::ParentDir {
            plain.pop();
        } else {
            plain.push(part);
        }
    }
    plain
}

/// The path in the repository and the anchor that a link names; none for one to elsewhere.
fn target(page: &Page, link: &str) -> Option<(PathBuf, Option<String>)> {
    if link.contains("://") {
        return None;
    }
    let (path, anchor) = link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
    let beside = page.path.parent().unwrap().join(path);
    let path = if path.is_empty() { page.path.clone() } else { plain(&beside) };
    Some((path, anchor.map(str::to_owned)))
}

#[test]
fn links_lead_to_what_is_there() {
    let pages = pages();
    for page in &pages {
        for link in &page.links {
            let Some((path, anchor)) = target(page, link) else { continue };
            let from = page.path.display();
            assert!(root().join(&path).exists(), "{from}: {link} leads nowhere");
            let is_in_book = |path: &Path| path.starts_with("docs/src");
            // Where mdBook has made pages of them, nothing else of the repository is beside them.
            assert!(is_in_book(&path) || !is_in_book(&page.path), "{from}: {link} leads out of the book");
            let Some(anchor) = anchor else { continue };
            let has = |page: &Page| page.path == path && page.anchors.contains(&anchor);
            let text = fs::read_to_string(root().join(&path)).unwrap_or_default();
            let other = Page::new(path.clone(), text);
            assert!(has(&other), "{from}: {link} names a part that is not there");
        }
    }
}

#[test]
fn the_summary_names_every_page() {
    let pages = pages();
    let summary = pages.iter().find(|page| page.path == Path::new("docs/src/SUMMARY.md")).unwrap();
    let named: BTreeSet<_> = summary.links.iter().filter_map(|link| Some(target(summary, link)?.0)).collect();
    let of_book = |page: &&Page| page.path.starts_with("docs/src") && page.path != summary.path;
    let there: BTreeSet<_> = pages.iter().filter(of_book).map(|page| page.path.clone()).collect();
    assert_eq!(named, there);
    assert_eq!(named.len(), summary.links.len(), "a page is named twice");
}

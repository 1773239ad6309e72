//! The arrows between the crates point downwards: each knows only what the design lets it know.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, PackageId};

fn metadata() -> Metadata {
    // With the lock file as it is, no registry is asked.
    MetadataCommand::new().other_options(["--locked".to_owned()]).exec().unwrap()
}

/// The crates of the workspace that each one depends on, tests and benchmarks aside.
fn arrows(metadata: &Metadata) -> BTreeMap<String, BTreeSet<String>> {
    let packages = metadata.workspace_packages();
    let names: BTreeSet<String> = packages.iter().map(|package| package.name.to_string()).collect();
    let arrows = |package: &cargo_metadata::Package| {
        let dependencies = package.dependencies.iter();
        let normal = dependencies.filter(|dependency| dependency.kind == DependencyKind::Normal);
        normal.map(|dependency| dependency.name.clone()).filter(|name| names.contains(name)).collect()
    };
    packages.iter().map(|package| (package.name.to_string(), arrows(package))).collect()
}

/// All packages that a crate needs, directly or not, by name.
fn closure(metadata: &Metadata, name: &str) -> BTreeSet<String> {
    let resolve = metadata.resolve.as_ref().unwrap();
    let package = |id: &PackageId| metadata.packages.iter().find(|package| package.id == *id).unwrap();
    let start = metadata.workspace_packages().into_iter().find(|package| *package.name == name).unwrap();
    let (mut open, mut seen) = (vec![&start.id], BTreeSet::new());
    while let Some(id) = open.pop() {
        if seen.insert(id) {
            let node = resolve.nodes.iter().find(|node| node.id == *id).unwrap();
            let normal = node.deps.iter().filter(|dependency| {
                dependency.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal)
            });
            open.extend(normal.map(|dependency| &dependency.pkg));
        }
    }
    seen.into_iter().map(|id| package(id).name.to_string()).collect()
}

#[test]
fn crates_know_only_those_beneath_them() {
    let expected = [
        ("harness", vec!["hypervisor", "model", "nixgen", "remote"]),
        ("hypervisor", vec![]),
        ("model", vec![]),
        ("nixgen", vec!["model"]),
        ("remote", vec![]),
    ];
    let set = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect();
    let expected = expected.map(|(name, below)| (name.to_owned(), set(below)));
    assert_eq!(arrows(&metadata()), BTreeMap::from(expected));
}

#[test]
fn the_lower_crates_stay_free_of_what_they_must_not_know() {
    let metadata = metadata();
    let forbidden = [
        ("model", vec!["virt", "ssh2", "handlebars", "which"]),
        ("nixgen", vec!["virt", "ssh2"]),
        ("hypervisor", vec!["ssh2", "handlebars", "proptest"]),
        ("remote", vec!["virt", "handlebars", "proptest"]),
    ];
    for (name, forbidden) in forbidden {
        let known = closure(&metadata, name);
        let found: Vec<_> = forbidden.into_iter().filter(|package| known.contains(*package)).collect();
        assert_eq!(found, Vec::<&str>::new(), "{name} knows what it must not");
    }
}

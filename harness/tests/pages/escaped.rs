//! Whatever a guest or a model says is shown as text.

use harness::Voice;
use harness::record::{Line, Packet, Packets, Record, Said};
use harness::report::page;
use proptest::prelude::*;

use crate::failing;

/// The tags of a page, in their order, without what stands between them.
fn tags(html: &str) -> Vec<String> {
    let tags = html.split('<').skip(1).filter_map(|rest| rest.split_once('>'));
    let name = |tag: &str| tag.split([' ', '\n']).next().unwrap_or_default().to_owned();
    tags.map(|(tag, _)| name(tag)).collect()
}

/// The record with this text in the place of everything that it says.
pub(crate) fn saying(record: &Record, text: &str) -> Record {
    let mut said = record.clone();
    let put = |place: &mut String| text.clone_into(place);
    [&mut said.specification, &mut said.initial, &mut said.seed].into_iter().for_each(put);
    [&mut said.evidence.expected, &mut said.evidence.came, &mut said.evidence.state]
        .into_iter()
        .for_each(put);
    said.evidence.obstacles.iter_mut().for_each(|obstacle| put(&mut obstacle.why));
    said.machines.iter_mut().for_each(|machine| {
        put(&mut machine.name);
        machine.details.iter_mut().for_each(put);
    });
    for state in &mut said.states {
        put(&mut state.text);
        state.notes.iter_mut().flatten().for_each(put);
        state
            .links
            .iter_mut()
            .for_each(|link| [&mut link.from, &mut link.to, &mut link.what].into_iter().for_each(put));
    }
    for operation in &mut said.operations {
        [&mut operation.command, &mut operation.kind, &mut operation.came].into_iter().for_each(put);
        operation.machines.iter_mut().for_each(put);
    }
    said.shrinking.candidates.iter_mut().for_each(|candidate| put(&mut candidate.change));
    let line = Line { at: Some(0.5), text: text.to_owned() };
    said.consoles =
        vec![Said { machine: text.to_owned(), voice: Voice::Journal, lines: vec![line], is_cut: true }];
    let packet = Packet { at: 0.7, machine: text.to_owned(), is_sent: true, what: text.to_owned() };
    said.capture = Some(Packets { file: text.to_owned(), packets: vec![packet], left_out: 1 });
    said.replay = Some(text.to_owned());
    said.warnings = vec![text.to_owned()];
    said.others = vec![text.to_owned()];
    said.settings = [(text.to_owned(), text.to_owned())].into();
    said
}

/// Texts as an attacker would choose them.
fn hostile() -> impl Strategy<Value = String> {
    let parts = prop_oneof![
        Just("</script><script>document.title='run'</script>".to_owned()),
        Just("<img src=x onerror=\"document.title='run'\">".to_owned()),
        Just("--><!--".to_owned()),
        Just("</noscript></style></title>".to_owned()),
        Just("{{view.seed}}{{{data}}}".to_owned()),
        Just("\" autofocus onfocus='document.title=1' x=\"".to_owned()),
        Just("]]>\u{2028}\u{0}&lt;".to_owned()),
        any::<String>(),
    ];
    // Where a text is empty a page leaves out what would be around it.
    proptest::collection::vec(parts, 1..4)
        .prop_map(|parts| parts.concat())
        .prop_filter("no text", |text| !text.is_empty())
}

#[test]
fn no_text_becomes_markup() {
    let records = [failing::forgotten_cut(), failing::lost_update()];
    let harmless = records.each_ref().map(|record| tags(&page::html(&saying(record, "x")).unwrap()));
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(64)
    });
    runner
        .run(&hostile(), |text| {
            for (record, harmless) in records.iter().zip(&harmless) {
                let html = page::html(&saying(record, &text)).unwrap();
                prop_assert_eq!(&tags(&html), harmless);
                let data = html.split_once("id=\"record\">").unwrap().1.split_once("</script>").unwrap().0;
                let back: Record = serde_json::from_str(data).unwrap();
                prop_assert_eq!(back, saying(record, &text));
            }
            Ok(())
        })
        .unwrap();
}

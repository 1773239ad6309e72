//! What a page says without a script.

use harness::record::Record;
use harness::report::page;

use crate::{failing, large, looked_at};

/// The page as far as its data.
fn essentials(record: &Record) -> String {
    let html = page::html(record).unwrap();
    html.split_once("<script type=\"application/json\"").unwrap().0.to_owned()
}

#[test]
fn what_was_expected_and_what_came_is_said_first() {
    for record in [failing::deaf(), failing::forgotten_cut(), failing::lost_update()] {
        let html = essentials(&record);
        for text in [&record.evidence.expected, &record.evidence.came] {
            assert!(html.contains(&escaped(text)), "{text}");
        }
        let rows = html.split_once("<tbody>").unwrap().1.split_once("</tbody>").unwrap().0;
        assert_eq!(rows.matches("<tr").count(), record.operations.len());
        assert_eq!(rows.matches("class=\"wrong\"").count(), 1);
        let file = record.replay.unwrap();
        assert!(html.contains(&format!("netprop replay {file}")));
    }
}

#[test]
fn lanes_have_the_order_and_the_obstacles() {
    let record = failing::lost_update();
    let html = essentials(&record);
    assert!(html.contains("The longest order that the model allows"));
    assert!(html.contains(&escaped(&record.evidence.obstacles[0].why)), "{html}");
}

#[test]
fn lanes_have_the_fewest_answers_that_contradict_one_another() {
    let record = failing::lost_among_others();
    let html = essentials(&record);
    let (_, told) = html.split_once("These answers contradict one another").unwrap();
    let list = told.split_once("</ul>").unwrap().0;
    let contradiction = record.evidence.contradiction.as_ref().unwrap();
    assert_eq!(list.matches("<li>").count(), contradiction.operations.len());
    let last = contradiction.last.unwrap();
    assert!(told.contains(&format!("All that was answered before {last} has an order")), "{told}");
    assert!(!essentials(&failing::deaf()).contains("contradict one another"));
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#x27;")
}

/// The pages of the planted failures, and those of large histories, for whoever wants to see them.
#[test]
fn pages_for_a_look() {
    let records = [
        ("deaf-after-second-boot", failing::deaf()),
        ("forgotten-cut", failing::forgotten_cut()),
        ("with-sources", failing::with_sources()),
        ("lost-update", failing::lost_update()),
        ("lost-among-others", failing::lost_among_others()),
        ("large-in-sequence", large::in_sequence()),
        ("large-in-lanes", large::in_lanes()),
    ];
    for (name, record) in records {
        assert!(looked_at::page(name, &record).ends_with("</html>\n"));
    }
}

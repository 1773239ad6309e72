//! The states that a record has, each once.

use std::collections::HashMap;

use model::Model;
use model::scene::{Power, Scene, Seat};

use super::{Site, State};

/// So many bytes of states a record has at most: that of a history of ten thousand operations has to
/// stay one that a browser opens at once.
const MOST: usize = 3 << 20;
/// So many bytes of one text are kept at most.
pub(super) const MOST_OF_TEXT: usize = 4 << 10;

/// A text, cut where it is long.
pub(super) fn bounded(text: String) -> String {
    if text.len() <= MOST_OF_TEXT {
        return text;
    }
    let mut end = MOST_OF_TEXT;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}… ({} bytes in all)", &text[..end], text.len())
}

/// States as a model shows them.
pub(super) struct States<'a, M> {
    model: &'a M,
    places: HashMap<State, usize>,
    pub(super) all: Vec<State>,
    pub(super) machines: Vec<Site>,
    bytes: usize,
}

impl<'a, M: Model> States<'a, M> {
    /// With the one that a case begins in.
    pub(super) fn new(model: &'a M, initial: &M::State) -> Self {
        let seats = model.scene(initial).unwrap_or_default().machines;
        let machines = seats.into_iter().map(|Seat { name, details, .. }| Site { name, details }).collect();
        let mut states = Self { model, places: HashMap::new(), all: Vec::new(), machines, bytes: 0 };
        states.place(initial);
        states
    }

    /// The place of a state; none where there is no room for more.
    pub(super) fn place(&mut self, state: &M::State) -> Option<usize> {
        let shown = self.shown(state);
        if let Some(place) = self.places.get(&shown) {
            return Some(*place);
        }
        let notes = shown.notes.iter().flatten().map(String::len);
        let links = shown.links.iter().map(|link| link.from.len() + link.to.len() + link.what.len() + 48);
        let bytes = shown.text.len() + notes.chain(links).sum::<usize>() + 16 * shown.power.len() + 64;
        if self.bytes + bytes > MOST {
            return None;
        }
        self.bytes += bytes;
        self.all.push(shown.clone());
        self.places.insert(shown, self.all.len() - 1);
        Some(self.all.len() - 1)
    }

    fn shown(&self, state: &M::State) -> State {
        let text = bounded(self.model.show_progress(state));
        let Scene { machines, links } = self.model.scene(state).unwrap_or_default();
        let find = |site: &Site| machines.iter().find(|seat| seat.name == site.name);
        // What it was given since the case began is news.
        let notes = |site: &Site| {
            let seat = find(site)?;
            let news = seat.details.iter().filter(|detail| !site.details.contains(detail));
            Some(news.chain(&seat.notes).cloned().collect())
        };
        let power = self.machines.iter().map(|site| find(site).map_or(Power::Off, |seat| seat.power));
        let notes = self.machines.iter().map(|site| notes(site).unwrap_or_default());
        State { text, power: power.collect(), notes: notes.collect(), links }
    }
}

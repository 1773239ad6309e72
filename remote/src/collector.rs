//! One output stream: what is kept of it, and the marks that are taken out of it.

use memchr::memmem::Finder;

use crate::wrapper::{Mark, Nonce, Parsed};

/// Takes a stream apart as it arrives, in any pieces, within bounded memory.
#[derive(Debug)]
pub(crate) struct Collector {
    nonce: Finder<'static>,
    limit: usize,
    kept: Vec<u8>,
    dropped: u64,
    /// What may yet turn out to be the beginning of a mark.
    pending: Vec<u8>,
    leader: Option<u32>,
    status: Option<u8>,
}

impl Collector {
    /// A stream that keeps at most `limit` bytes.
    pub(crate) fn new(nonce: Nonce, limit: usize) -> Self {
        let nonce = Finder::new(nonce.text().as_bytes()).into_owned();
        Self { nonce, limit, kept: Vec::new(), dropped: 0, pending: Vec::new(), leader: None, status: None }
    }

    /// The process that leads the command's group, once it has said so.
    pub(crate) fn leader(&self) -> Option<u32> {
        self.leader
    }

    /// The status that the command's shell exited with, once it has said so.
    pub(crate) fn status(&self) -> Option<u8> {
        self.status
    }

    /// Takes the next piece. What comes after the command's end is not its output.
    pub(crate) fn push(&mut self, piece: &[u8]) {
        if self.status.is_some() {
            return;
        }
        let mut bytes = std::mem::take(&mut self.pending);
        bytes.extend_from_slice(piece);
        let rest = self.take_marks(&bytes);
        if self.status.is_none() {
            self.pending = bytes.split_off(rest);
        }
    }

    /// What was kept, and how many bytes were not.
    pub(crate) fn finish(mut self) -> (Vec<u8>, u64) {
        let pending = std::mem::take(&mut self.pending);
        self.keep(&pending);
        (self.kept, self.dropped)
    }

    /// Keeps all that is surely output and returns where the rest begins.
    fn take_marks(&mut self, bytes: &[u8]) -> usize {
        let mut from = 0;
        while let Some(found) = self.nonce.find(&bytes[from..]) {
            let mark = from + found;
            let after = mark + Nonce::LENGTH;
            self.keep(&bytes[from..mark]);
            match Mark::parse(&bytes[after..]) {
                Parsed::Mark(Mark::Ended(status), _) => {
                    self.status = Some(status);
                    return bytes.len();
                }
                Parsed::Mark(Mark::Started(leader), length) => {
                    self.leader = Some(leader);
                    from = after + length;
                }
                Parsed::Incomplete => return mark,
                Parsed::Other => {
                    // The true one may begin within this one.
                    self.keep(&bytes[mark..=mark]);
                    from = mark + 1;
                }
            }
        }
        let rest = bytes.len() - self.beginning_of_nonce(&bytes[from..]);
        self.keep(&bytes[from..rest]);
        rest
    }

    /// How many bytes at the end may be the beginning of a nonce.
    fn beginning_of_nonce(&self, bytes: &[u8]) -> usize {
        let nonce = self.nonce.needle();
        let longest = bytes.len().min(nonce.len() - 1);
        (1..=longest).rev().find(|length| bytes.ends_with(&nonce[..*length])).unwrap_or(0)
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = self.limit - self.kept.len();
        let (kept, dropped) = bytes.split_at(bytes.len().min(room));
        self.kept.extend_from_slice(kept);
        self.dropped += dropped.len() as u64;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn collect(nonce: Nonce, limit: usize, pieces: &[&[u8]]) -> (Collector, Vec<u8>, u64) {
        let stream = || {
            let mut stream = Collector::new(nonce, limit);
            pieces.iter().for_each(|piece| stream.push(piece));
            stream
        };
        let (kept, dropped) = stream().finish();
        (stream(), kept, dropped)
    }

    proptest! {
        #[test]
        fn any_output_in_any_pieces_comes_out_as_it_went_in(
            output in proptest::collection::vec(any::<u8>(), 0..300),
            cut in 1_usize..60,
            limit in 0_usize..400,
            status in any::<u8>(),
            beginning in 0..Nonce::LENGTH,
        ) {
            let nonce = Nonce::random().unwrap();
            let text = nonce.text();
            // The output ends like a mark that is not one, the hardest thing to tell.
            let mut output = output;
            output.extend_from_slice(&text.as_bytes()[..beginning]);
            let whole = [
                format!("{text}p0000000042;").as_bytes(),
                &output,
                format!("{text}x{status:03};late").as_bytes(),
            ].concat();
            let pieces: Vec<_> = whole.chunks(cut).collect();
            let (stream, kept, dropped) = collect(nonce, limit, &pieces);
            prop_assert_eq!(stream.leader(), Some(42));
            prop_assert_eq!(stream.status(), Some(status), "{} {:?}", text, pieces);
            prop_assert_eq!(&kept, &output[..output.len().min(limit)]);
            prop_assert_eq!(dropped as usize, output.len() - kept.len());
        }
    }

    #[test]
    fn a_stream_that_breaks_off_keeps_what_looked_like_a_mark() {
        let nonce = Nonce::random().unwrap();
        let begun = format!("a{}x00", nonce.text());
        let (stream, kept, dropped) = collect(nonce, 100, &[begun.as_bytes()]);
        assert_eq!((stream.status(), kept.as_slice(), dropped), (None, begun.as_bytes(), 0));
    }

    #[test]
    fn a_nonce_without_a_mark_is_output() {
        let nonce = Nonce::random().unwrap();
        let other = format!("{} and more", nonce.text());
        let (_, kept, _) = collect(nonce, 100, &[other.as_bytes()]);
        assert_eq!(kept, other.as_bytes());
    }
}

//! Rows of numbers, one row a level.

/// Rows of different lengths, one after the other.
#[derive(Default)]
pub(super) struct Rows {
    ends: Vec<End>,
    entries: Vec<u32>,
}

/// Where a row ends.
#[derive(Clone, Copy)]
enum End {
    /// It has the entries between these two places.
    Entries(usize, usize),
    /// It has all numbers below this one.
    First(u32),
}

/// The numbers of one row.
#[derive(Clone, Copy)]
pub(super) enum Row<'a> {
    /// These.
    Entries(&'a [u32]),
    /// All below this one.
    First(u32),
}

impl Rows {
    pub(super) fn push(&mut self, row: impl Iterator<Item = u32>) {
        let start = self.entries.len();
        self.entries.extend(row);
        self.ends.push(End::Entries(start, self.entries.len()));
    }

    /// Adds a row of the first numbers.
    pub(super) fn push_first(&mut self, numbers: usize) {
        self.ends.push(End::First(u32::try_from(numbers).unwrap_or(u32::MAX)));
    }

    pub(super) fn row(&self, level: usize) -> Row<'_> {
        match self.ends[level] {
            End::Entries(start, end) => Row::Entries(&self.entries[start..end]),
            End::First(numbers) => Row::First(numbers),
        }
    }

    /// About how many bytes they take.
    pub(super) fn memory(&self) -> usize {
        self.ends.capacity() * size_of::<End>() + self.entries.capacity() * size_of::<u32>()
    }
}

impl Row<'_> {
    pub(super) fn len(self) -> usize {
        match self {
            Self::Entries(entries) => entries.len(),
            Self::First(numbers) => numbers as usize,
        }
    }

    /// The number at a place that the row has.
    pub(super) fn at(self, place: usize) -> u32 {
        match self {
            Self::Entries(entries) => entries[place],
            Self::First(_) => place as u32,
        }
    }

    pub(super) fn iter(self) -> impl Iterator<Item = u32> {
        (0..self.len()).map(move |place| self.at(place))
    }
}

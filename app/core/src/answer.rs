//! Judges what the office says that it holds of a log.

use meguri_proto::SeqHeld;

use crate::kept::Log;

/// What follows from the office's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judged {
    /// The office holds all up to this number, and it is what was written here.
    Holds(u64),
    /// The office holds something else under this epoch: the store was restored from a copy, or cloned.
    Fork,
    /// It speaks of an epoch that is no longer kept, or of what is no longer comparable.
    Nothing,
}

/// Judges the answer to a hello, which says all there is and may therefore move the log back.
pub(crate) fn judge_answer(log: &Log, held: &SeqHeld) -> Judged {
    if held.epoch != log.epoch {
        return Judged::Nothing;
    }
    if held.seq > log.head() {
        return Judged::Fork;
    }
    match log.digest(held.seq) {
        Some(digest) if digest == held.digest => Judged::Holds(held.seq),
        Some(_) => Judged::Fork,
        // It holds less than is kept: what lies between is gone everywhere, work continues after it.
        None => Judged::Holds(log.first - 1),
    }
}

/// Judges a plain ack, which only ever moves the log forward. `Fork` means that only a hello can tell.
pub(crate) fn judge_plain(log: &Log, held: &SeqHeld) -> Judged {
    match judge_answer(log, held) {
        Judged::Holds(seq) if seq <= log.acked => Judged::Nothing,
        judged => judged,
    }
}

#[cfg(test)]
mod tests {
    use meguri_proto::{Digest, Epoch, FactId, LogKind};
    use uuid::Uuid;

    use super::*;
    use crate::kept::Meta;

    /// Entries 1 to 5, of which 1 and 2 are pruned and 4 is acknowledged.
    fn log() -> (Log, Vec<Digest>) {
        let digests = crate::kept::rechain((0..5).map(|_| &b"{}"[..]));
        let mut log = Log::new(Epoch(Uuid::from_u128(1)));
        (log.first, log.before) = (3, digests[1]);
        for digest in &digests[2..] {
            log.push(Meta::new(LogKind::Track, FactId(Uuid::nil()), *digest, "{}", None));
        }
        log.acked = 4;
        (log, digests)
    }

    #[test]
    fn judges_every_case() {
        let (log, digests) = log();
        let other = Digest::of(b"other");
        let word = |seq: u64, digest| SeqHeld { log: LogKind::Fact, epoch: log.epoch, seq, digest };
        let table = [
            // The office's word, as an answer, as a plain ack.
            (word(5, digests[4]), Judged::Holds(5), Judged::Holds(5)),
            (word(4, digests[3]), Judged::Holds(4), Judged::Nothing),
            (word(3, digests[2]), Judged::Holds(3), Judged::Nothing),
            (word(2, digests[1]), Judged::Holds(2), Judged::Nothing),
            (word(1, digests[0]), Judged::Holds(2), Judged::Nothing),
            (word(0, Digest::ZERO), Judged::Holds(2), Judged::Nothing),
            (word(6, other), Judged::Fork, Judged::Fork),
            (word(5, other), Judged::Fork, Judged::Fork),
            (word(3, other), Judged::Fork, Judged::Fork),
            (word(2, other), Judged::Fork, Judged::Fork),
        ];
        for (held, answer, plain) in table {
            assert_eq!(judge_answer(&log, &held), answer, "{held:?}");
            assert_eq!(judge_plain(&log, &held), plain, "{held:?}");
        }
        let foreign = SeqHeld { epoch: Epoch(Uuid::from_u128(2)), ..word(9, other) };
        assert_eq!(judge_answer(&log, &foreign), Judged::Nothing);
    }
}

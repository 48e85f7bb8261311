//! What one list of lines has that another has not, as few edits as there are.
//!
//! Follows E. W. Myers, "An O(ND) difference algorithm and its variations" (1986), without the linear-space
//! refinement: states of one object differ in a few lines. What differs in more than [`MOST`] is replaced as a whole.

/// More differences than this are not searched for.
const MOST: usize = 300;

/// The edits that lead from `old` to `new`: `keep, drop, n, line * n` again and again; what is left is kept.
pub fn edits(old: &[u32], new: &[u32]) -> Vec<u32> {
    let head = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let (old_rest, new_rest) = (&old[head..], &new[head..]);
    let tail = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(a, b)| a == b).count();
    let (from, to) = (&old_rest[..old_rest.len() - tail], &new_rest[..new_rest.len() - tail]);
    let kept = kept(from, to);
    let mut out = Vec::new();
    let (mut x, mut y, mut keep) = (0, 0, head);
    for (a, b) in kept.into_iter().chain([(from.len(), to.len())]) {
        if (a, b) != (x, y) {
            out.extend([number(keep), number(a - x), number(b - y)]);
            out.extend(&to[y..b]);
            keep = 0;
        }
        (x, y, keep) = (a + 1, b + 1, keep + 1);
    }
    out
}

/// Applies edits.
pub fn apply(old: &[u32], edits: &[u32]) -> Vec<u32> {
    let mut new = Vec::with_capacity(old.len());
    let (mut at, mut rest) = (0, edits);
    while let [keep, drop, count, after @ ..] = rest {
        let (keep, drop, count) = (*keep as usize, *drop as usize, *count as usize);
        new.extend(old.iter().skip(at).take(keep));
        new.extend(after.iter().take(count));
        at += keep + drop;
        rest = after.get(count..).unwrap_or_default();
    }
    new.extend(old.iter().skip(at));
    new
}

fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// Positions in both lists of the lines of a longest common subsequence, in order; none if too much differs.
fn kept(old: &[u32], new: &[u32]) -> Vec<(usize, usize)> {
    let (n, m) = (old.len(), new.len());
    let most = (n + m).min(MOST);
    // On diagonal k (kept at k + most + 1) the furthest position in `old` so far, after each number of differences.
    let mut furthest = vec![0_usize; 2 * most + 3];
    let mut history: Vec<Vec<usize>> = Vec::new();
    for differences in 0..=most {
        history.push(furthest.clone());
        for k in diagonals(differences, n, m) {
            let at = place(k, most);
            let down = goes_down(k, differences, &furthest, most);
            let mut x = if down { furthest[at + 1] } else { furthest[at - 1] + 1 };
            while let (Some(a), Some(b)) = (old.get(x), y_of(x, k).and_then(|y| new.get(y)))
                && a == b
            {
                x += 1;
            }
            furthest[at] = x;
            if x >= n && y_of(x, k).is_some_and(|y| y >= m) {
                return walk_back(&history, differences, n, m, most);
            }
        }
    }
    Vec::new()
}

/// The diagonals that can be reached, from low to high, without those that leave both lists.
fn diagonals(differences: usize, n: usize, m: usize) -> impl Iterator<Item = isize> {
    let d = differences.cast_signed();
    let (low, high) = (-d.min(m.cast_signed()), d.min(n.cast_signed()));
    (low..=high).filter(move |k| (k - d) % 2 == 0)
}

fn place(k: isize, most: usize) -> usize {
    (k + most.cast_signed() + 1).cast_unsigned()
}

fn y_of(x: usize, k: isize) -> Option<usize> {
    usize::try_from(x.cast_signed() - k).ok()
}

/// An insertion leads to diagonal `k`, rather than a deletion.
fn goes_down(k: isize, differences: usize, furthest: &[usize], most: usize) -> bool {
    let (d, at) = (differences.cast_signed(), place(k, most));
    k == -d || k != d && furthest[at - 1] < furthest[at + 1]
}

fn walk_back(
    history: &[Vec<usize>],
    differences: usize,
    n: usize,
    m: usize,
    most: usize,
) -> Vec<(usize, usize)> {
    let mut kept = Vec::new();
    let (mut x, mut y) = (n, m);
    for d in (0..=differences).rev() {
        let k = x.cast_signed() - y.cast_signed();
        let furthest = &history[d];
        let from = if d == 0 {
            0
        } else if goes_down(k, d, furthest, most) {
            furthest[place(k, most) + 1]
        } else {
            furthest[place(k, most) - 1] + 1
        };
        while x > from && x > 0 && y > 0 {
            (x, y) = (x - 1, y - 1);
            kept.push((x, y));
        }
        if d > 0 {
            let down = goes_down(k, d, furthest, most);
            if down {
                y -= 1;
            } else {
                x -= 1;
            }
        }
    }
    kept.reverse();
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn few_edits() {
        let cases: [(&[u32], &[u32], &[u32]); 7] = [
            (&[], &[], &[]),
            (&[1, 2, 3], &[1, 2, 3], &[]),
            (&[], &[1, 2], &[0, 0, 2, 1, 2]),
            (&[1, 2], &[], &[0, 2, 0]),
            (&[1, 2, 3], &[1, 9, 3], &[1, 1, 1, 9]),
            (&[1, 2, 3, 4, 5], &[1, 9, 3, 4, 8, 5], &[1, 1, 1, 9, 2, 0, 1, 8]),
            (&[1, 2, 3, 4], &[2, 3, 4, 5], &[0, 1, 0, 3, 0, 1, 5]),
        ];
        for (old, new, expected) in cases {
            assert_eq!(edits(old, new), expected, "{old:?} -> {new:?}");
            assert_eq!(apply(old, &edits(old, new)), new);
        }
    }

    proptest! {
        #[test]
        fn edits_lead_from_one_to_the_other(
            old in prop::collection::vec(0_u32..6, 0..40),
            new in prop::collection::vec(0_u32..6, 0..40),
        ) {
            let found = edits(&old, &new);
            prop_assert_eq!(apply(&old, &found), new);
        }

        #[test]
        fn one_changed_line_is_one_edit(old in prop::collection::vec(0_u32..50, 1..60), at in 0_usize..60) {
            let mut new = old.clone();
            let at = at % old.len();
            new[at] = 99;
            prop_assert_eq!(edits(&old, &new).len(), 4);
        }
    }

    #[test]
    fn what_has_little_in_common_is_replaced() {
        let old: Vec<u32> = (0..1000).collect();
        let new: Vec<u32> = (500_000..501_000).collect();
        let found = edits(&old, &new);
        assert_eq!(found[..3], [0, 1000, 1000]);
        assert_eq!(apply(&old, &found), new);
    }
}

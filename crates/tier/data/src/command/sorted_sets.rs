//! Core: commands on sorted sets.

mod add;
mod bounds;
mod combine;
mod pop;
mod range;

use ringway_protocol::resp::Out;
use ringway_protocol::resp::number::double_text;
use ringway_values::{Kind, SortedSet};

use self::add::{zadd, zincrby};
use self::bounds::{lex_bounds, score_bounds};
use self::pop::Side;
use self::range::{By, Words};
use super::args::is;
use super::hashes::{write_pair_head, write_pairs_head};
use super::typed::{MemberScan, below, pick_count, picks, write_or_null, write_scan};
use super::{AGAIN, Group, KeyPlaces, NO_SCRIPT, READ, Run, SHORT, Spec, WRITE, spec};
use crate::call::{Args, Call};
use crate::fail::{Fail, Ran};

const G: Group = Group::SortedSet;
const FIRST: KeyPlaces = KeyPlaces::First;
const TWO: KeyPlaces = KeyPlaces::Range { first: 1, last: 2, step: 1 };
/// All words but the last, the time limit.
const TIMED: KeyPlaces = KeyPlaces::Range { first: 1, last: -2, step: 1 };
const COUNTED: KeyPlaces = KeyPlaces::Counted { at: 1, has_target: false };
const STORED: KeyPlaces = KeyPlaces::Counted { at: 2, has_target: true };
const TIMED_COUNTED: KeyPlaces = KeyPlaces::Counted { at: 2, has_target: false };

pub(super) const SPECS: &[Spec] = &[
    spec(
        "bzmpop",
        -5,
        WRITE,
        TIMED_COUNTED,
        G,
        "takes members from the first set that has some, waits",
        Run::Blocking(1, pop::bzmpop),
    ),
    spec(
        "bzpopmax",
        -3,
        WRITE | NO_SCRIPT,
        TIMED,
        G,
        "takes the highest member, waits for one",
        Run::Blocking(-1, |call, args| pop::pop_any(call, args, Side::Max)),
    ),
    spec(
        "bzpopmin",
        -3,
        WRITE | NO_SCRIPT,
        TIMED,
        G,
        "takes the lowest member, waits for one",
        Run::Blocking(-1, |call, args| pop::pop_any(call, args, Side::Min)),
    ),
    spec("zadd", -4, WRITE | SHORT | AGAIN, FIRST, G, "adds members with scores", Run::Keyed(zadd)),
    spec("zcard", 2, READ | SHORT, FIRST, G, "how many members there are", Run::Keyed(zcard)),
    spec("zcount", 4, READ | SHORT, FIRST, G, "how many have a score in a range", Run::Keyed(zcount)),
    spec("zdiff", -3, READ, COUNTED, G, "members of the first set and no other", Run::Keyed(combine::zdiff)),
    spec("zdiffstore", -4, WRITE | SHORT, STORED, G, "the same, kept", Run::Keyed(combine::zdiffstore)),
    spec("zincrby", 4, WRITE, FIRST, G, "adds to a member's score", Run::Keyed(zincrby)),
    spec("zinter", -3, READ, COUNTED, G, "members of all sets", Run::Keyed(combine::zinter)),
    spec("zintercard", -3, READ | SHORT, COUNTED, G, "how many these are", Run::Keyed(combine::zintercard)),
    spec("zinterstore", -4, WRITE | SHORT, STORED, G, "the same, kept", Run::Keyed(combine::zinterstore)),
    spec("zlexcount", 4, READ | SHORT, FIRST, G, "how many are in a range of members", Run::Keyed(zlexcount)),
    spec("zmpop", -4, WRITE, COUNTED, G, "takes members from the first set that has some", Run::Keyed(pop::zmpop)),
    spec("zmscore", -3, READ, FIRST, G, "scores of members", Run::Keyed(zmscore)),
    spec(
        "zpopmax",
        -2,
        WRITE,
        FIRST,
        G,
        "takes the highest members",
        Run::Keyed(|call, args| pop::pop(call, args, Side::Max)),
    ),
    spec(
        "zpopmin",
        -2,
        WRITE,
        FIRST,
        G,
        "takes the lowest members",
        Run::Keyed(|call, args| pop::pop(call, args, Side::Min)),
    ),
    spec("zrandmember", -2, READ, FIRST, G, "random members", Run::Keyed(zrandmember)),
    spec(
        "zrange",
        -4,
        READ,
        FIRST,
        G,
        "a range of members",
        Run::Keyed(|call, args| range::tell(call, args, Words::Any, By::Rank, false)),
    ),
    spec(
        "zrangebylex",
        -4,
        READ,
        FIRST,
        G,
        "a range by members",
        Run::Keyed(|call, args| range::tell(call, args, Words::Fixed, By::Member, false)),
    ),
    spec(
        "zrangebyscore",
        -4,
        READ,
        FIRST,
        G,
        "a range by score",
        Run::Keyed(|call, args| range::tell(call, args, Words::Fixed, By::Score, false)),
    ),
    spec("zrangestore", -5, WRITE | SHORT, TWO, G, "keeps a range of members", Run::Keyed(range::store)),
    spec(
        "zrank",
        3,
        READ | SHORT,
        FIRST,
        G,
        "how many members are before one",
        Run::Keyed(|call, args| zrank(call, args, false)),
    ),
    spec("zrem", -3, WRITE | SHORT | AGAIN, FIRST, G, "removes members", Run::Keyed(zrem)),
    spec(
        "zremrangebylex",
        4,
        WRITE | SHORT,
        FIRST,
        G,
        "removes a range by members",
        Run::Keyed(|call, args| range::remove(call, args, By::Member)),
    ),
    spec(
        "zremrangebyrank",
        4,
        WRITE | SHORT,
        FIRST,
        G,
        "removes a range",
        Run::Keyed(|call, args| range::remove(call, args, By::Rank)),
    ),
    spec(
        "zremrangebyscore",
        4,
        WRITE | SHORT,
        FIRST,
        G,
        "removes a range by score",
        Run::Keyed(|call, args| range::remove(call, args, By::Score)),
    ),
    spec(
        "zrevrange",
        -4,
        READ,
        FIRST,
        G,
        "a range from the highest",
        Run::Keyed(|call, args| range::tell(call, args, Words::Fixed, By::Rank, true)),
    ),
    spec(
        "zrevrangebylex",
        -4,
        READ,
        FIRST,
        G,
        "a range by members, from the last",
        Run::Keyed(|call, args| range::tell(call, args, Words::Fixed, By::Member, true)),
    ),
    spec(
        "zrevrangebyscore",
        -4,
        READ,
        FIRST,
        G,
        "a range by score, from the highest",
        Run::Keyed(|call, args| range::tell(call, args, Words::Fixed, By::Score, true)),
    ),
    spec(
        "zrevrank",
        3,
        READ | SHORT,
        FIRST,
        G,
        "how many members are behind one",
        Run::Keyed(|call, args| zrank(call, args, true)),
    ),
    spec("zscan", -3, READ, FIRST, G, "walks over the members", Run::Keyed(zscan)),
    spec("zscore", 3, READ, FIRST, G, "a member's score", Run::Keyed(zscore)),
    spec("zunion", -3, READ, COUNTED, G, "members of any of the sets", Run::Keyed(combine::zunion)),
    spec("zunionstore", -4, WRITE | SHORT, STORED, G, "the same, kept", Run::Keyed(combine::zunionstore)),
];

fn zcard(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let len = call.keys.sorted_set(args[1])?.map_or(0, SortedSet::len);
    call.out.int(len as i64);
    Ok(())
}

fn zscore(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let score = call.keys.sorted_set(args[1])?.and_then(|set| set.score(args[2]));
    write_score(call.out, score);
    Ok(())
}

fn zmscore(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let set = call.keys.sorted_set(args[1])?;
    call.out.array(args.len() - 2);
    for member in &args[2..] {
        write_score(call.out, set.and_then(|set| set.score(member)));
    }
    Ok(())
}

fn zrank(call: &mut Call<'_, '_>, args: Args<'_>, from_end: bool) -> Ran {
    let set = call.keys.sorted_set(args[1])?;
    let rank = set.and_then(|set| set.rank(args[2]).map(|rank| if from_end { set.len() - 1 - rank } else { rank }));
    match rank {
        Some(rank) => call.out.int(rank as i64),
        None => call.out.null(),
    }
    Ok(())
}

fn zcount(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let (low, high) = score_bounds(args[2], args[3])?;
    let count = call.keys.sorted_set(args[1])?.map_or(0, |set| set.ranks_of_scores(low, high).len());
    call.out.int(count as i64);
    Ok(())
}

fn zlexcount(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let (low, high) = lex_bounds(args[2], args[3])?;
    let count = call.keys.sorted_set(args[1])?.map_or(0, |set| set.ranks_of_members(low, high).len());
    call.out.int(count as i64);
    Ok(())
}

fn zrem(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let removed = call.keys.edit_existing(args[1], Kind::SortedSet, |edit| {
        args[2..].iter().filter(|member| edit.zset_remove(member).is_some()).count()
    })?;
    call.out.int(removed.unwrap_or(0) as i64);
    Ok(())
}

fn zrandmember(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    let Some(count) = args.get(2) else {
        let picked = call.keys.sorted_set(args[1])?.and_then(|set| set.nth(below(set.len())));
        write_or_null(call.out, picked.map(|(member, _)| member));
        return Ok(());
    };
    let count = pick_count(count)?;
    let with_scores = match &args[3..] {
        [] => false,
        [word] if is(word, "WITHSCORES") => true,
        _ => return Err(Fail::SYNTAX),
    };
    if with_scores && !(-i64::MAX / 2..=i64::MAX / 2).contains(&count) {
        return Err(Fail::new("ERR value is out of range"));
    }
    let set = call.keys.sorted_set(args[1])?;
    let picked = picks(count, set.map_or(0, SortedSet::len))?;
    write_pairs_head(call.out, picked.len(), with_scores);
    picked.into_iter().filter_map(|at| set?.nth(at)).for_each(|pair| write_member(call.out, pair, with_scores));
    Ok(())
}

fn zscan(call: &mut Call<'_, '_>, args: Args<'_>) -> Ran {
    MemberScan::cursor(args[2])?;
    let Some(set) = call.keys.sorted_set(args[1])? else {
        write_scan(call.out, |_| (0, 0));
        return Ok(());
    };
    let scan = MemberScan::parse(args)?;
    write_scan(call.out, |out| {
        let mut len = 0;
        let cursor = set.scan(scan.cursor, scan.count, |member, score| {
            if scan.wants(member) {
                out.bulk(member);
                out.bulk(double_text(score).as_bytes());
                len += 2;
            }
        });
        (len, cursor)
    });
    Ok(())
}

fn write_score(out: &mut Out, score: Option<f64>) {
    match score {
        Some(score) => out.double(score),
        None => out.null(),
    }
}

/// One of several, with its score or without.
fn write_member(out: &mut Out, (member, score): (&[u8], f64), with_score: bool) {
    write_pair_head(out, with_score);
    out.bulk(member);
    if with_score {
        out.double(score);
    }
}

//! Which sets a change wakes (STS-98 to STS-100), what a stale cache does to adoption, and what revisions restore.
use super::testing::{Bench, SetOptions, bare_pod, healthy, owned_pod, pod, respec, set, spec};
use crate::api::kind::Kind;
use crate::api::labels::Owner;
use crate::api::names::{Sym, Uid};
use crate::api::objects::*;
use crate::api::rare::RareId;
use crate::api::selector::Selector;
use crate::api::template_hash::revision_data;
use crate::event::Process;
use crate::kernel::{Duration, Id, Latency};
use crate::rule::Rule;
use std::sync::Arc;

fn nobody() -> SetOptions {
    SetOptions { replicas: 0, ..SetOptions::default() }
}

/// A set without pods that selects `app=<app>`.
fn selecting(bench: &mut Bench, name: &str, app: &str) -> Id<StatefulSet> {
    let mut spec = spec(&mut bench.world, &nobody());
    spec.selector = Arc::new(Selector::from_pairs([("app", app)]));
    let meta = Meta { name: bench.world.store.names.name(name), namespace: Sym::DEFAULT, ..Meta::default() };
    let set =
        StatefulSet { meta, spec: Arc::new(spec), status: StatefulSetStatus::default(), conditions: None };
    bench.world.create(set, Rule::NONE).unwrap()
}

/// Three sets of which the first two select `app=web`, at rest: their keys, and the references of what they own.
fn three() -> (Bench, [u32; 3], [Owner; 3]) {
    let mut bench = Bench::new();
    let sets = [("foo", "web"), ("bar", "web"), ("foobar", "db")];
    let sets = sets.map(|(name, app)| selecting(&mut bench, name, app));
    bench.run();
    bench.woken.clear();
    let owners = sets.map(|set| {
        let meta = bench.world.store.get(set).unwrap().meta;
        Owner { kind: Kind::StatefulSet, controller: true, block: true, name: meta.name, uid: meta.uid }
    });
    (bench, sets.map(Id::as_u32), owners)
}

/// Who is woken until all is quiet, each once, in order of keys.
fn woken(bench: &mut Bench) -> Vec<u32> {
    bench.run();
    sorted(bench)
}

/// Who is woken by the change itself, before anybody has written anything.
fn woken_first(bench: &mut Bench) -> Vec<u32> {
    bench.run_for(3);
    let keys = sorted(bench);
    woken(bench);
    keys
}

fn sorted(bench: &mut Bench) -> Vec<u32> {
    let mut keys = std::mem::take(&mut bench.woken);
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// A pod `other-9` with `app=web`, whose name is that of no set's pod.
fn stray(bench: &mut Bench, owner: Option<Owner>) -> Id<Pod> {
    let owners = bench.world.store.owners.intern(owner.as_slice());
    owned_pod(&mut bench.world, "other-9", owners)
}

fn own(bench: &mut Bench, pod: Id<Pod>, owner: Option<Owner>) {
    let owners = bench.world.store.owners.intern(owner.as_slice());
    bench.world.update(pod, Rule::NONE, |pod| pod.meta.owners = owners);
}

fn label(bench: &mut Bench, pod: Id<Pod>, app: &str) {
    let names = &mut bench.world.store.names;
    let (key, value) = (names.word("app"), names.word(app));
    let labels = bench.world.store.labels.of(vec![(key, value)]);
    bench.world.update(pod, Rule::NONE, |pod| pod.meta.labels = labels);
}

/// STS-86: the cache shows a live set and an orphan; the API server knows better, and is asked before adoption.
#[test]
fn t_sts_090_a_set_that_is_going_adopts_nothing() {
    let mut bench = Bench::new();
    let id = set(&mut bench.world, "web", &nobody());
    bench.run();
    let revision = bench.world.store.revisions.iter().next().unwrap().0;
    bench.world.config.latency.watch = Latency::Constant(Duration::from_millis(300));
    bench.world.update(revision, Rule::NONE, |revision| revision.meta.owners = Default::default());
    let orphan = bare_pod(&mut bench.world, "web-0");
    bench.run_for(100);
    let rare = bench.world.store.rares.ending(RareId::default(), Seconds(0), 0);
    bench.world.update(id, Rule::NONE, |set| {
        set.meta.rare = rare;
        set.meta.finalizers = Finalizers::FOREGROUND;
    });
    // The orphan has been seen, the deletion has not.
    let writes = bench.run_for(250);
    let cache = bench.world.view(Process::ControllerManager);
    assert!(cache.get(orphan).is_some() && !cache.get(id).unwrap().meta.is_terminating());
    assert!(bench.woken.len() > 1, "it has looked");
    assert!(writes.is_empty(), "{writes:?}");
    // Nor does it when it knows.
    let writes = bench.run_for(3_000);
    assert!(writes.iter().all(|write| write.starts_with("status ")), "{writes:?}");
    let store = &bench.world.store;
    assert!(store.owners.get(store.get(orphan).unwrap().meta.owners).is_empty());
    assert!(store.owners.get(store.get(revision).unwrap().meta.owners).is_empty());
    assert_eq!((store.pods.len(), store.revisions.len()), (1, 1));
}

/// Its owner lets it go, since it is not called like one of its pods; what counts is who is woken before that.
#[test]
fn t_sts_091_100_a_pod_that_comes_or_goes_wakes_its_owner() {
    let (mut bench, [foo, bar, _], [of_foo, of_bar, _]) = three();
    let pod = stray(&mut bench, Some(of_bar));
    assert_eq!(woken_first(&mut bench), [bar]);
    own(&mut bench, pod, Some(of_foo));
    bench.run_for(3);
    bench.world.remove(pod, Rule::NONE);
    bench.woken.clear();
    assert_eq!(woken_first(&mut bench), [foo]);
    // Owners are known by their uid: one of another life is none.
    let stale = Some(Owner { uid: Uid(777), ..of_foo });
    let pod = stray(&mut bench, stale);
    assert!(woken(&mut bench).is_empty());
    bench.world.remove(pod, Rule::NONE);
    assert!(woken(&mut bench).is_empty());
}

#[test]
fn t_sts_092_103_an_orphan_wakes_all_sets_that_select_it() {
    let (mut bench, [foo, bar, _], _) = three();
    stray(&mut bench, None);
    assert_eq!(woken(&mut bench), [foo, bar]);
}

#[test]
fn t_sts_093_095_101_a_pod_of_nobody_wakes_nobody() {
    let (mut bench, [foo, bar, _], [of_foo, ..]) = three();
    // Somebody else's.
    let pod = stray(&mut bench, Some(Owner { kind: Kind::ReplicaSet, uid: Uid(777), ..of_foo }));
    assert!(woken(&mut bench).is_empty());
    bench.world.update(pod, Rule::NONE, |pod| pod.phase = Phase::Running);
    assert!(woken(&mut bench).is_empty());
    bench.world.remove(pod, Rule::NONE);
    assert!(woken(&mut bench).is_empty());
    // Nobody's, and selected by no set.
    let pod = stray(&mut bench, None);
    assert_eq!(woken(&mut bench), [foo, bar]);
    label(&mut bench, pod, "nothing");
    assert!(woken(&mut bench).is_empty());
    bench.world.update(pod, Rule::NONE, |pod| pod.phase = Phase::Running);
    assert!(woken(&mut bench).is_empty());
    // Selected, but it only goes, or changes in what nobody asked for.
    label(&mut bench, pod, "web");
    assert_eq!(woken(&mut bench), [foo, bar]);
    bench.world.update(pod, Rule::NONE, |pod| pod.phase = Phase::Failed);
    assert!(woken(&mut bench).is_empty());
    bench.world.remove(pod, Rule::NONE);
    assert!(woken(&mut bench).is_empty());
}

#[test]
fn t_sts_094_a_pod_that_changes_wakes_its_owner() {
    let (mut bench, id) = healthy(&SetOptions::default());
    bench.run();
    bench.woken.clear();
    // Anything will do, also what is no news to the set.
    let pod = bench.pod("web-1");
    bench.world.update(pod, Rule::NONE, |pod| pod.restarts = crate::kernel::U24::of(pod.restarts.get() + 1));
    assert_eq!(woken(&mut bench), [id.as_u32()]);
}

#[test]
fn t_sts_097_an_orphan_with_other_labels_wakes_who_selects_it_now() {
    let (mut bench, [foo, bar, foobar], _) = three();
    let pod = stray(&mut bench, None);
    woken(&mut bench);
    for (app, expected) in
        [("nothing", [].as_slice()), ("web", &[foo, bar]), ("db", &[foobar]), ("web", &[foo, bar])]
    {
        label(&mut bench, pod, app);
        assert_eq!(woken(&mut bench), expected, "{app}");
    }
}

#[test]
fn t_sts_098_099_another_owner_wakes_both_and_none_all_that_select() {
    let (mut bench, [foo, bar, foobar], [of_foo, _, of_foobar]) = three();
    let pod = stray(&mut bench, Some(of_foo));
    bench.run_for(3);
    bench.woken.clear();
    own(&mut bench, pod, Some(of_foobar));
    bench.run_for(3);
    assert_eq!(sorted(&mut bench), [foo, foobar], "the old owner and the new");
    own(&mut bench, pod, None);
    assert_eq!(woken(&mut bench), [foo, bar, foobar], "the old owner and those that select it");
}

/// STS-100: ready 3, none available yet; it looks again when the first of them will be.
#[test]
fn t_sts_109_it_looks_again_when_the_next_pod_becomes_available() {
    let options = SetOptions { policy: PodManagement::Parallel, min_ready: 5, ..SetOptions::default() };
    let mut bench = Bench::new();
    let id = set(&mut bench.world, "web", &options);
    bench.run_for(1_000);
    // Ready at 1 s, 3 s and 5.3 s; times have whole seconds (STS-101).
    bench.ready("web-0");
    bench.run_for(2_000);
    bench.ready("web-1");
    bench.run_for(2_300);
    bench.ready("web-2");
    bench.run_for(100);
    let status = |bench: &Bench| {
        let status = bench.world.store.get(id).unwrap().status;
        (status.ready, status.available)
    };
    assert_eq!(status(&bench), (3, 0));
    bench.woken.clear();
    bench.run_for(590);
    assert_eq!((status(&bench), bench.woken.len()), ((3, 0), 0), "0.6 s later: not yet");
    bench.run_for(20);
    assert_eq!(bench.woken.first(), Some(&id.as_u32()), "at 6 s it looks");
    assert_eq!(status(&bench), (3, 1));
    bench.run_for(2_000);
    assert_eq!(status(&bench), (3, 2));
    bench.run_for(2_000);
    assert_eq!(status(&bench), (3, 3));
    bench.woken.clear();
    bench.run_for(60_000);
    assert!(bench.woken.len() <= 1, "nothing is left to wait for: {:?}", bench.woken);
}

/// By number and not by letter: what is created comes from the lowest, what is deleted from the highest. Of several
/// sets that select a pod none comes first: each is woken.
#[test]
fn t_sts_127_pods_are_in_the_order_of_their_ordinals() {
    let twelve = SetOptions { replicas: 12, policy: PodManagement::Parallel, ..SetOptions::default() };
    let mut bench = Bench::new();
    let id = set(&mut bench.world, "web", &twelve);
    let names = |writes: Vec<String>, what: &str| -> Vec<String> {
        let names = writes.iter().filter_map(|write| write.strip_prefix(what));
        names.map(|name| name.split(' ').next().unwrap_or_default().to_owned()).collect()
    };
    let created = names(bench.run(), "create ");
    assert_eq!(created, (0..12).map(|n| format!("web-{n}")).collect::<Vec<_>>());
    respec(&mut bench.world, id, &SetOptions { replicas: 2, ..twelve });
    let gone = names(bench.run(), "gone ");
    assert_eq!(gone, (2..12).rev().map(|n| format!("web-{n}")).collect::<Vec<_>>());
}

/// A revision keeps the template and the set's annotations; from the template it keeps, it is made again the same.
#[test]
fn t_sts_129_130_a_revision_restores_its_template() {
    let mut bench = Bench::new();
    let id = set(&mut bench.world, "web", &nobody());
    let word = bench.world.store.names.word("note");
    let annotations = bench.world.store.labels.of(vec![(word, word)]);
    bench.world.update(id, Rule::NONE, |set| set.meta.annotations = annotations);
    bench.run();
    let first = bench.world.store.get(id).unwrap().spec.template;
    respec(&mut bench.world, id, &SetOptions { image: "web:v2", ..nobody() });
    bench.run();
    let second = bench.world.store.get(id).unwrap().spec.template;
    let store = &bench.world.store;
    let mut revisions: Vec<_> = store.revisions.iter().map(|(_, revision)| revision.clone()).collect();
    revisions.sort_by_key(|revision| revision.number);
    assert_eq!(revisions.iter().map(|revision| revision.template).collect::<Vec<_>>(), [first, second]);
    for revision in &revisions {
        assert_eq!(revision.meta.annotations, annotations);
        assert_eq!(*revision.data, revision_data(&store.template(revision.template).json));
        let mut data: serde_json::Value = serde_json::from_str(&revision.data).unwrap();
        let kept = data.pointer_mut("/spec/template").unwrap().take();
        let mut template = (*store.template(revision.template).json).clone();
        template["$patch"] = "replace".into();
        assert_eq!(kept, template, "nothing but the template, and all of it");
    }
    assert_ne!(revisions[0].data, revisions[1].data);
}

/// STS-47: revisions as older releases wrote them, with fields that are nothing: no new revision, and nobody rolls.
#[test]
fn t_sts_134_revisions_of_older_releases_mean_the_same() {
    let replacements = [
        ("\"metadata\":{", "\"metadata\":{\"creationTimestamp\":null,"),
        ("\"restartPolicy\":\"Always\",", ""),
        ("\"terminationGracePeriodSeconds\":30", "\"terminationGracePeriodSeconds\": 30"),
    ];
    for (new, old) in replacements {
        let (mut bench, id) = healthy(&SetOptions::default());
        let revision = bench.world.store.revisions.iter().next().unwrap().0;
        let before = bench.world.store.get(revision).unwrap().data.clone();
        assert!(before.contains(new), "{before}");
        bench.world.update(revision, Rule::NONE, |revision| {
            revision.data = revision.data.replace(new, old).into();
        });
        bench.news();
        // Whatever makes the set look.
        bench.world.update(id, Rule::NONE, |_| ());
        assert_eq!(bench.run(), [""; 0], "{old}");
        assert!(!bench.woken.is_empty() && bench.world.store.revisions.len() == 1);
        let same = |name: &str| {
            pod(&bench.world, name).is_some_and(|id| !bench.world.store.get(id).unwrap().is_terminating())
        };
        assert!(["web-0", "web-1", "web-2"].into_iter().all(same));
        let status = bench.world.store.get(id).unwrap().status;
        assert_eq!(status.current_revision, status.update_revision);
        assert_eq!(status.update_revision, bench.world.store.get(revision).unwrap().meta.name);
    }
}

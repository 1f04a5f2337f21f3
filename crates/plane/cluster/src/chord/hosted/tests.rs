use super::*;
use ringway_ring::{PARTITION_COUNT, Partition};

fn node(number: u8) -> NodeId {
    NodeId::from_bytes([number; 16])
}

/// Machines whose messages arrive at once.
struct World {
    machines: BTreeMap<NodeId, Hosted>,
    now: Duration,
    events: Vec<(NodeId, Event)>,
}

impl World {
    fn new(count: u8) -> Self {
        let machine = |number: u8| (node(number), Hosted::new(node(number), 1, ChordConfig::default()));
        Self { machines: (1..=count).map(machine).collect(), now: Duration::ZERO, events: Vec::new() }
    }

    fn give(&mut self, to: u8, point: Point, input: Input) {
        let mut effects = Effects::default();
        let machine = self.machines.get_mut(&node(to)).unwrap();
        machine.give(self.now, point, input, &mut effects);
        self.deliver(node(to), effects);
    }

    fn deliver(&mut self, by: NodeId, effects: Effects) {
        assert_eq!(effects.lost, 0);
        self.events.extend(effects.events.into_iter().map(|(_, event)| (by, event)));
        for (to, envelopes) in effects.sends {
            for envelope in envelopes {
                let Some(machine) = self.machines.get_mut(&to) else { continue };
                let mut next = Effects::default();
                machine.take_message(self.now, by, envelope, &mut next);
                self.deliver(to, next);
            }
        }
    }

    fn join(&mut self, number: u8, partitions: &[u16], known: VirtualNode) {
        for partition in partitions {
            let point = Partition(*partition).end();
            self.machines.get_mut(&node(number)).unwrap().add(point, u64::from(*partition));
            self.give(number, point, Input::Join { known });
        }
    }

    fn live(&mut self, seconds: u64) {
        for _ in 0..seconds * 10 {
            self.now += Duration::from_millis(100);
            for id in self.machines.keys().copied().collect::<Vec<_>>() {
                let mut effects = Effects::default();
                self.machines.get_mut(&id).unwrap().wake(self.now, &mut effects);
                self.deliver(id, effects);
            }
        }
    }

    /// Who answers for each partition; each must have exactly one.
    fn owners(&self) -> Vec<NodeId> {
        let owners = |partition: Partition| {
            let holds = |machine: &&Hosted| machine.arc_of(partition.end()).is_some();
            self.machines.values().filter(holds).map(|machine| machine.own).collect::<Vec<_>>()
        };
        let one = |partition| match owners(partition)[..] {
            [owner] => owner,
            ref others => panic!("{partition:?} has the owners {others:?}"),
        };
        Partition::all().map(one).collect()
    }
}

fn ring_of_three() -> World {
    let mut world = World::new(3);
    let first = VirtualNode { point: Partition(100).end(), node: node(1) };
    world.machines.get_mut(&node(1)).unwrap().add(first.point, 1);
    world.give(1, first.point, Input::Create);
    world.join(1, &[1100, 2100, 3100], first);
    world.join(2, &[600, 1600, 2600, 3600], first);
    world.join(3, &[300, 1300, 2300, 3300], first);
    world.live(10);
    world
}

#[test]
fn three_machines_with_four_places_each_answer_for_every_partition_once() {
    let world = ring_of_three();
    let owners = world.owners();
    assert_eq!(owners[101], node(3));
    assert_eq!(owners[301], node(2));
    assert_eq!(owners[601], node(1));
    assert_eq!(owners[3601], node(1), "around zero");
    for machine in world.machines.values() {
        assert_eq!(machine.joined().len(), 4);
        let (_, holders) = &machine.arcs()[0];
        assert_eq!(holders.len(), 3, "copies are on three different machines");
        assert_eq!(holders[0], machine.own);
    }
}

#[test]
fn the_arcs_of_a_dead_machine_fall_to_those_behind_it() {
    let mut world = ring_of_three();
    world.machines.remove(&node(2));
    for id in [1, 3] {
        let mut effects = Effects::default();
        let now = world.now;
        world.machines.get_mut(&node(id)).unwrap().give_all(now, &Input::Down(node(2)), &mut effects);
        world.deliver(node(id), effects);
    }
    world.live(10);
    let owners = world.owners();
    assert_eq!(owners[500], node(1), "1100 follows 600");
    assert_eq!(owners.len(), PARTITION_COUNT);
}

#[test]
fn a_machine_that_leaves_hands_its_arcs_on_before_it_goes() {
    let mut world = ring_of_three();
    for point in world.machines[&node(3)].joined() {
        world.give(3, point, Input::Leave);
    }
    let left = world.events.iter().filter(|(by, event)| *by == node(3) && *event == Event::Left).count();
    assert_eq!(left, 4, "{:?}", world.events);
    assert_eq!(world.owners()[300], node(2), "at once");
}

#[test]
fn a_message_for_a_place_that_is_not_here_is_dropped() {
    let mut world = ring_of_three();
    let stray = Message { incarnation: 1, id: 7, body: ringway_ring::chord::Body::Ping };
    let envelope = Envelope { from: Partition(600).end(), to: Partition(9).end(), message: stray };
    let mut effects = Effects::default();
    let now = world.now;
    world.machines.get_mut(&node(1)).unwrap().take_message(now, node(2), envelope, &mut effects);
    assert!(effects.sends.is_empty() && effects.events.is_empty());
}

/// Machines with eight places each, whose messages take a while; some die.
struct SlowWorld {
    machines: BTreeMap<NodeId, Hosted>,
    now: Duration,
    /// When, to whom, from whom.
    under_way: Vec<(Duration, NodeId, NodeId, Envelope)>,
    seed: u64,
    lost: usize,
}

impl SlowWorld {
    fn random(&mut self) -> u64 {
        self.seed = self.seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        self.seed >> 33
    }

    fn perform(&mut self, by: NodeId, effects: Effects) {
        self.lost += effects.lost;
        for (to, envelopes) in effects.sends {
            for envelope in envelopes {
                let at = self.now + Duration::from_micros(500 + self.random() % 3000);
                self.under_way.push((at, to, by, envelope));
            }
        }
    }

    fn enter(&mut self, number: u8, known: Option<VirtualNode>) -> VirtualNode {
        let id = node(number);
        let mut machine = Hosted::new(id, 1, ChordConfig::default());
        let mut effects = Effects::default();
        let mut first = known;
        for _ in 0..8 {
            let point = Partition((self.random() % 4096) as u16).end();
            machine.add(point, self.random());
            match first {
                Some(known) => machine.give(self.now, point, Input::Join { known }, &mut effects),
                None => {
                    machine.give(self.now, point, Input::Create, &mut effects);
                    first = Some(VirtualNode { point, node: id });
                }
            }
        }
        self.machines.insert(id, machine);
        self.perform(id, effects);
        self.tell_members();
        first.unwrap()
    }

    fn tell_members(&mut self) {
        let of = |(id, machine): (&NodeId, &Hosted)| {
            machine.joined().into_iter().map(|point| VirtualNode { point, node: *id }).collect::<Vec<_>>()
        };
        let members: Vec<VirtualNode> = self.machines.iter().flat_map(of).collect();
        self.give_all(&Input::Members(members));
    }

    fn give_all(&mut self, input: &Input) {
        for id in self.machines.keys().copied().collect::<Vec<_>>() {
            let mut effects = Effects::default();
            self.machines.get_mut(&id).unwrap().give_all(self.now, input, &mut effects);
            self.perform(id, effects);
        }
    }

    fn live(&mut self, millis: u64) {
        let until = self.now + Duration::from_millis(millis);
        while self.now < until {
            self.now += Duration::from_millis(1);
            let now = self.now;
            let mut due: Vec<_> = self.under_way.extract_if(.., |(at, ..)| *at <= now).collect();
            due.sort_by_key(|(at, ..)| *at);
            for (_, to, from, envelope) in due {
                let Some(machine) = self.machines.get_mut(&to) else { continue };
                let mut effects = Effects::default();
                machine.take_message(now, from, envelope, &mut effects);
                self.perform(to, effects);
            }
            for id in self.machines.keys().copied().collect::<Vec<_>>() {
                if self.machines[&id].next_wake().is_some_and(|at| at <= now) {
                    let mut effects = Effects::default();
                    self.machines.get_mut(&id).unwrap().wake(now, &mut effects);
                    self.perform(id, effects);
                }
            }
        }
    }
}

#[test]
fn machines_that_come_and_go_do_not_talk_without_end() {
    for seed in 1..=60 {
        let mut world =
            SlowWorld { machines: BTreeMap::new(), now: Duration::ZERO, under_way: Vec::new(), seed, lost: 0 };
        let first = world.enter(1, None);
        world.live(300);
        world.enter(2, Some(first));
        world.enter(3, Some(first));
        for _ in 0..8 {
            world.live(400);
            world.tell_members();
        }
        world.machines.remove(&node(3));
        world.live(100);
        world.give_all(&Input::Down(node(3)));
        world.enter(4, Some(first));
        for _ in 0..8 {
            world.live(400);
            world.tell_members();
        }
        world.live(10_000);
        world.tell_members();
        world.live(5_000);
        assert_eq!(world.lost, 0, "seed {seed}");
        for partition in Partition::all() {
            let owners = world.machines.values().filter(|machine| machine.arc_of(partition.end()).is_some()).count();
            assert_eq!(owners, 1, "{partition:?}, seed {seed}");
        }
    }
}

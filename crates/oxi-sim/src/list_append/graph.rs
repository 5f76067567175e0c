//! Graphs of transactions and who must come before whom.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

/// Why one transaction comes before another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Edge {
    /// The other wrote the next version.
    WriteWrite,
    /// The other read what it wrote.
    WriteRead,
    /// The other wrote the version after the one it read.
    ReadWrite,
}

impl Edge {
    fn name(self) -> &'static str {
        match self {
            Edge::WriteWrite => "ww",
            Edge::WriteRead => "wr",
            Edge::ReadWrite => "rw",
        }
    }
}

/// Transactions by number, with the edges that lead away from each.
#[derive(Default)]
pub struct Graph {
    out: Vec<Vec<(usize, Edge)>>,
}

/// A closed path: transactions, each with the edge to the next; the last leads to the first.
pub type Cycle = Vec<(usize, Edge)>;

impl Graph {
    /// A graph of so many transactions.
    pub fn new(size: usize) -> Self {
        Graph { out: vec![Vec::new(); size] }
    }

    /// Adds an edge; nobody comes before itself.
    pub fn add(&mut self, from: usize, to: usize, edge: Edge) {
        if from != to && !self.out[from].contains(&(to, edge)) {
            self.out[from].push((to, edge));
        }
    }

    /// The edges of some kinds.
    fn edges(&self, wanted: &[Edge]) -> impl Iterator<Item = (usize, usize, Edge)> {
        self.out.iter().enumerate().flat_map(move |(from, edges)| {
            let wanted = edges.iter().filter(|(_, edge)| wanted.contains(edge));
            wanted.map(move |(to, edge)| (from, *to, *edge))
        })
    }

    /// For each transaction a number of its strongly connected component over edges of some kinds:
    /// two with the same number lie on a common cycle.
    fn components(&self, wanted: &[Edge]) -> Vec<usize> {
        Components::new(self, wanted).run()
    }

    /// The edges of the last of the kinds that close a cycle over all of them, one for each
    /// component.
    pub fn cycles(&self, wanted: &[Edge], closing: Edge) -> Vec<Cycle> {
        let components = self.components(wanted);
        let mut found: FxHashMap<usize, Cycle> = FxHashMap::default();
        for (from, to, edge) in self.edges(&[closing]) {
            if components[from] == components[to]
                && !found.contains_key(&components[from])
                && let Some(path) = self.path(to, from, wanted)
            {
                let mut cycle = vec![(from, edge)];
                cycle.extend(path);
                found.insert(components[from], cycle);
            }
        }
        let mut cycles: Vec<Cycle> = found.into_values().collect();
        cycles.sort();
        cycles
    }

    /// Cycles with a read-write edge in which no two such edges follow each other, at most `limit`
    /// of them: what no snapshot explains.
    pub fn without_adjacent_reads(&self, limit: usize) -> Vec<Cycle> {
        const ALL: [Edge; 3] = [Edge::WriteWrite, Edge::WriteRead, Edge::ReadWrite];
        let components = self.components(&ALL);
        let mut cycles = Vec::new();
        for (from, to, edge) in self.edges(&[Edge::ReadWrite]) {
            if components[from] != components[to] {
                continue;
            }
            // A single one first: it has a name of its own.
            let path = self
                .path(to, from, &[Edge::WriteWrite, Edge::WriteRead])
                .or_else(|| self.alternating_path(to, from, &components));
            if let Some(path) = path {
                let mut cycle = vec![(from, edge)];
                cycle.extend(path);
                cycles.push(cycle);
                if cycles.len() == limit {
                    break;
                }
            }
        }
        cycles
    }

    /// A shortest way from one transaction to another.
    fn path(&self, from: usize, to: usize, wanted: &[Edge]) -> Option<Cycle> {
        self.search(from, to, |_, edge| wanted.contains(&edge))
    }

    /// A way that neither begins nor ends with a read-write edge, nor has two in a row. It stays
    /// within one component.
    fn alternating_path(&self, from: usize, to: usize, components: &[usize]) -> Option<Cycle> {
        // Nodes are doubled: reached by a read-write edge, or by another.
        let mut before: FxHashMap<(usize, bool), (usize, bool, Edge)> = FxHashMap::default();
        let mut queue = VecDeque::from([(from, true)]);
        while let Some((node, by_read)) = queue.pop_front() {
            for (next, edge) in &self.out[node] {
                let is_read = *edge == Edge::ReadWrite;
                let state = (*next, is_read);
                if (is_read && (by_read || *next == to))
                    || components[*next] != components[from]
                    || before.contains_key(&state)
                {
                    continue;
                }
                before.insert(state, (node, by_read, *edge));
                if *next == to {
                    return Some(unwound(&before, (from, true), state));
                }
                queue.push_back(state);
            }
        }
        None
    }

    fn search(
        &self,
        from: usize,
        to: usize,
        wanted: impl Fn(usize, Edge) -> bool,
    ) -> Option<Cycle> {
        let mut before: FxHashMap<usize, (usize, Edge)> = FxHashMap::default();
        let mut queue = VecDeque::from([from]);
        while let Some(node) = queue.pop_front() {
            for (next, edge) in &self.out[node] {
                if !wanted(*next, *edge) || before.contains_key(next) || *next == from {
                    continue;
                }
                before.insert(*next, (node, *edge));
                if *next == to {
                    let mut path = Vec::new();
                    let mut at = to;
                    while at != from {
                        let (previous, edge) = before[&at];
                        path.push((previous, edge));
                        at = previous;
                    }
                    path.reverse();
                    return Some(path);
                }
                queue.push_back(*next);
            }
        }
        None
    }
}

fn unwound(
    before: &FxHashMap<(usize, bool), (usize, bool, Edge)>,
    from: (usize, bool),
    to: (usize, bool),
) -> Cycle {
    let mut path = Vec::new();
    let mut at = to;
    while at != from {
        let (node, by_read, edge) = before[&at];
        path.push((node, edge));
        at = (node, by_read);
    }
    path.reverse();
    path
}

/// A cycle in words.
pub fn shown(cycle: &Cycle) -> String {
    let first = cycle.first().map_or(0, |(node, _)| *node);
    let steps = cycle.iter().map(|(node, edge)| format!("T{node} -{}-> ", edge.name()));
    steps.chain([format!("T{first}")]).collect()
}

/// Tarjan's algorithm without recursion: histories are long.
struct Components<'a> {
    graph: &'a Graph,
    wanted: &'a [Edge],
    /// 0 is unvisited.
    index: Vec<usize>,
    low: Vec<usize>,
    on_stack: Vec<bool>,
    stack: Vec<usize>,
    component: Vec<usize>,
    next: usize,
}

impl<'a> Components<'a> {
    fn new(graph: &'a Graph, wanted: &'a [Edge]) -> Self {
        let size = graph.out.len();
        Components {
            graph,
            wanted,
            index: vec![0; size],
            low: vec![0; size],
            on_stack: vec![false; size],
            stack: Vec::new(),
            component: vec![0; size],
            next: 1,
        }
    }

    fn run(mut self) -> Vec<usize> {
        for root in 0..self.index.len() {
            if self.index[root] == 0 {
                self.visit(root);
            }
        }
        self.component
    }

    fn enter(&mut self, node: usize) {
        self.index[node] = self.next;
        self.low[node] = self.next;
        self.next += 1;
        self.stack.push(node);
        self.on_stack[node] = true;
    }

    fn visit(&mut self, root: usize) {
        self.enter(root);
        // Each node with the number of its edges that are done.
        let mut path = vec![(root, 0)];
        while let Some((node, done)) = path.last_mut() {
            let node = *node;
            let Some((next, edge)) = self.graph.out[node].get(*done).copied() else {
                path.pop();
                if let Some((parent, _)) = path.last() {
                    self.low[*parent] = self.low[*parent].min(self.low[node]);
                }
                self.leave(node);
                continue;
            };
            *done += 1;
            if !self.wanted.contains(&edge) {
                continue;
            }
            if self.index[next] == 0 {
                self.enter(next);
                path.push((next, 0));
            } else if self.on_stack[next] {
                self.low[node] = self.low[node].min(self.index[next]);
            }
        }
    }

    /// The root of a component takes the rest of it off the stack.
    fn leave(&mut self, node: usize) {
        if self.low[node] != self.index[node] {
            return;
        }
        while let Some(member) = self.stack.pop() {
            self.on_stack[member] = false;
            self.component[member] = self.index[node];
            if member == node {
                return;
            }
        }
    }
}

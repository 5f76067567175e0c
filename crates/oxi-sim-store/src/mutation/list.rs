//! The planted bugs. Text that spans lines stands here as it does in its file.

use super::Mutation;

/// Every planted bug; each must be noticed within 2,000 seeds.
pub const MUTATIONS: &[Mutation] = &[
    Mutation {
        name: "skip-log-sync",
        breaks: "what is acknowledged survives the machine",
        file: "crates/oxi-log/src/group.rs",
        find: r"        self.file.sync_data()
    }
}

impl Shared {",
        replace: r"        Ok(())
    }
}

impl Shared {",
    },
    Mutation {
        name: "retry-failed-sync",
        breaks: "after a failed sync nothing is acknowledged",
        file: "crates/oxi-log/src/group.rs",
        find: r"        self.file.sync_data()
    }
}

impl Shared {",
        replace: r"        self.file.sync_data().or_else(|_| self.file.sync_data())
    }
}

impl Shared {",
    },
    Mutation {
        name: "trust-the-page-cache",
        breaks: "what recovery has shown survives the machine",
        file: "crates/oxi-log/src/open.rs",
        find: r"    file.write_at(&bytes, from)?;
    file.set_len(to)?;",
        replace: "    file.set_len(to)?;",
    },
    Mutation {
        name: "skip-frame-checksum",
        breaks: "a frame that was written in part is none",
        file: "crates/oxi-log/src/frame.rs",
        find: "    if checksum(previous, lsn, covered) != crc {",
        replace: "    if checksum(previous, lsn, covered) != crc && covered.is_empty() {",
    },
    Mutation {
        name: "damage-is-a-torn-tail",
        breaks: "damage of what was acknowledged is no torn tail",
        file: "crates/oxi-log/src/scan.rs",
        find: "    if let Some((offset, what)) = tail.damage {",
        replace: "    if let Some((offset, what)) = tail.damage.filter(|_| tail.torn_bytes == 0) {",
    },
    Mutation {
        name: "skip-sync-of-names",
        breaks: "a name that replaced another survives the machine",
        file: "crates/oxi-world/src/disk.rs",
        find: r"        self.rename(&temporary, path)?;
        self.sync_dir(parent_of(path))",
        replace: "        self.rename(&temporary, path)",
    },
    Mutation {
        name: "skip-image-sync",
        breaks: "a checkpoint is durable before it is the current one",
        file: "crates/oxi-store/src/checkpoint/out.rs",
        find: r"        self.write()?;
        self.file.sync_data()?;",
        replace: "        self.write()?;",
    },
    Mutation {
        name: "retire-too-much",
        breaks: "the log holds what the checkpoint does not",
        file: "crates/oxi-store/src/checkpoint.rs",
        find: "core.log.retire(root.redo)?",
        replace: "core.log.retire(core.log.durable_lsn())?",
    },
    Mutation {
        name: "redo-too-late",
        breaks: "transactions open during a checkpoint are replayed from their first chunk",
        file: "crates/oxi-store/src/checkpoint.rs",
        find: "sequencer.streaming.values().copied().min().unwrap_or(from)",
        replace: "sequencer.streaming.values().copied().min().map_or(from, |_| from)",
    },
    Mutation {
        name: "forget-a-changed-block",
        breaks: "a checkpoint writes what was changed",
        file: "crates/oxi-store/src/txn/write.rs",
        find: r"            block.touch();
            rows.update(",
        replace: "            rows.update(",
    },
    Mutation {
        name: "reuse-row-id",
        breaks: "row ids are never given out twice",
        file: "crates/oxi-store/src/recover.rs",
        find: r"        table.start_at(manifest.next_block);
",
        replace: "",
    },
    Mutation {
        name: "replay-twice",
        breaks: "a transaction is replayed once",
        file: "crates/oxi-store/src/replay.rs",
        find: r"                self.operations(rest, frame)?;
                self.committed(frame);
            }
            FrameKind::Prepare",
        replace: r"                self.operations(rest, frame)?;
                self.operations(rest, frame)?;
                self.committed(frame);
            }
            FrameKind::Prepare",
    },
    Mutation {
        name: "replay-rolled-back-chunks",
        breaks: "what a savepoint took back stays away",
        file: "crates/oxi-store/src/replay.rs",
        find: r"                    chunks.truncate(keep);
                    for chunk",
        replace: "                    for chunk",
    },
    Mutation {
        name: "publish-before-log",
        breaks: "what is visible is durable",
        file: "crates/oxi-store/src/commit.rs",
        find: "let done = if synchronous { Vec::new() }",
        replace: "let done = if synchronous && txn.0 == 0 { Vec::new() }",
    },
    Mutation {
        name: "same-timestamp",
        breaks: "commits have an order",
        file: "crates/oxi-store/src/commit.rs",
        find: "Ts(now.max(sequencer.last_ts + 1))",
        replace: "Ts(now.max(sequencer.last_ts))",
    },
    Mutation {
        name: "catalog-version-stays",
        breaks: "who caches the catalog learns of its changes",
        file: "crates/oxi-store/src/commit.rs",
        find: "            if ended.catalog {",
        replace: "            if ended.catalog && ended.undo.is_empty() {",
    },
    Mutation {
        name: "do-not-wake",
        breaks: "who waits for a transaction goes on after it",
        file: "crates/oxi-store/src/commit.rs",
        find: r"        ended.state.wake();
    }",
        replace: "    }",
    },
    Mutation {
        name: "do-not-requeue",
        breaks: "who waits for a table lock is asked again",
        file: "crates/oxi-store/src/lock/queue.rs",
        find: r"        self.note(&state);
        state.changed();
    }

    /// Moves",
        replace: r"        self.note(&state);
    }

    /// Moves",
    },
    Mutation {
        name: "skip-deadlock-search",
        breaks: "a circle of waits is opened",
        file: "crates/oxi-store/src/lock/wait.rs",
        find: "while let Some(circle) = circle_from(&graph, wanted.waiter.party()) {",
        replace: "while let Some(circle) = circle_from(&graph, wanted.waiter.party()).filter(Vec::is_empty) {",
    },
    Mutation {
        name: "ignore-shared-row-locks",
        breaks: "a row stays while somebody shares it",
        file: "crates/oxi-store/src/txn/write.rs",
        find: "        let holder = self.core.shared_rows.holder(table.id, row, &self.state, lock)?;",
        replace: r"        let holder = self.core.shared_rows.holder(table.id, row, &self.state, lock)?;
        let holder = Some(holder).filter(|holder| !holder.is_active())?;",
    },
    Mutation {
        name: "lost-update",
        breaks: "a row that somebody changed is read again before it is written",
        file: "crates/oxi-store/src/block.rs",
        find: "            (true, false) => Access::Changed,",
        replace: "            (true, false) => Access::Free,",
    },
    Mutation {
        name: "forget-undo-of-update",
        breaks: "a rollback takes every change back",
        file: "crates/oxi-store/src/txn/write.rs",
        find: r"        work.undo.push(UndoEntry::Change { table, block, slot, deleted: false });
        Ok(WriteOutcome::Done)
    }

    pub(super) fn delete_row(",
        replace: r"        Ok(WriteOutcome::Done)
    }

    pub(super) fn delete_row(",
    },
    Mutation {
        name: "forget-undo-of-delete",
        breaks: "a rollback brings deleted rows back",
        file: "crates/oxi-store/src/txn/write.rs",
        find: r"        work.undo.push(UndoEntry::Change { table, block, slot, deleted: true });
",
        replace: "",
    },
    Mutation {
        name: "forget-index-entry",
        breaks: "an index finds a row by its new key",
        file: "crates/oxi-store/src/txn/write.rs",
        find: r"                if new != old {
                    entries.push",
        replace: r"                if new != old && !entry.index.layout.unique {
                    entries.push",
    },
    Mutation {
        name: "unique-half-checked",
        breaks: "a unique key is there once",
        file: "crates/oxi-store/src/txn/write.rs",
        find: r"            if other != row
                && let Some(obstacle)",
        replace: r"            if other > row
                && let Some(obstacle)",
    },
    Mutation {
        name: "collect-too-early",
        breaks: "a snapshot shows what it showed",
        file: "crates/oxi-store/src/collect.rs",
        find: "Sight::committed(self.snapshots.oldest(visible))",
        replace: "Sight::committed(visible)",
    },
    Mutation {
        name: "sequence-not-ahead",
        breaks: "a sequence never gives a value twice",
        file: "crates/oxi-store/src/sequence.rs",
        find: "            self.log_sequence(sequence, logged, true)?;",
        replace: "            self.log_sequence(sequence, value, true)?;",
    },
    Mutation {
        name: "skip-image-checksum",
        breaks: "a damaged image is an error",
        file: "crates/oxi-store/src/image.rs",
        find: r"    if crc32c::crc32c(bytes) == crc {
        return Ok(());",
        replace: r"    if crc32c::crc32c(bytes) == crc || !bytes.is_empty() {
        return Ok(());",
    },
    Mutation {
        name: "skip-index-checksum",
        breaks: "a damaged block of an index is an error",
        file: "crates/oxi-store/src/index/base.rs",
        find: "        if crc32c::crc32c(&bytes) != place.crc {",
        replace: "        if crc32c::crc32c(&bytes) != place.crc && bytes.is_empty() {",
    },
];

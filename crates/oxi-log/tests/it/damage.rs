//! One flipped bit anywhere: reported, or without effect.

use oxi_base::{Lsn, SqlState, Ts, TxnId};
use oxi_log::{Frame, FrameKind, Log, LogOptions};
use oxi_world::World;
use oxi_world::rng::Prng;

#[test]
fn a_flipped_bit_never_loses_a_frame_silently() {
    let (mut reported, mut harmless) = (0, 0);
    for seed in 0..400 {
        let (world, control) = World::simulated(seed);
        let mut options = LogOptions::new("wal");
        options.segment_bytes = 1024;
        options.fill_bytes = 512;
        let (log, _) = Log::create(world.clone(), options.clone()).unwrap();
        let mut dice = Prng::new(seed);
        for _ in 0..12 {
            for _ in 0..=dice.below(3) {
                let payload = vec![dice.next_u64() as u8; dice.below(150) as usize];
                log.append(FrameKind::Commit, TxnId(1), Ts(2), &payload).unwrap();
            }
            log.flush().unwrap();
        }
        let before: Vec<Frame> = log.read(Lsn(0)).map(Result::unwrap).collect();
        drop(log);
        control.crash();
        let files = world.disk.list("wal").unwrap();
        let file = &files[dice.below(files.len() as u64) as usize];
        control.flip_random_bit(&format!("wal/{file}")).unwrap();

        let outcome = Log::open(world, options)
            .and_then(|(log, _)| log.read(Lsn(0)).collect::<Result<Vec<Frame>, _>>());
        match outcome {
            Err(error) => {
                assert_eq!(error.code(), SqlState::DATA_CORRUPTED, "seed {seed}: {error}");
                reported += 1;
            }
            Ok(after) => {
                assert_eq!(before, after, "seed {seed}");
                harmless += 1;
            }
        }
    }
    assert!(reported > 100 && harmless > 20, "{reported} {harmless}");
}

//! Randomness: a fast generator for everyday choices and secure bytes for secrets.

use std::fs;
use std::io::Read;

use oxi_base::Result;
use parking_lot::Mutex;

use crate::disk::io_error;

/// A source of random numbers.
pub trait Rng: Send + Sync {
    /// A number for sampling, jitter and `random()`; not for secrets.
    fn next_u64(&self) -> u64;
    /// Bytes fit for secrets, salts and UUIDs.
    fn fill(&self, out: &mut [u8]);

    /// A number below `bound` (zero when `bound` is zero), with a bias below 2⁻³².
    fn below(&self, bound: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }
}

/// The xoshiro256++ generator, seeded through splitmix64: fast, deterministic, not secret.
#[derive(Clone, Debug)]
pub struct Prng {
    state: [u64; 4],
}

impl Prng {
    /// The generator of one seed.
    pub fn new(seed: u64) -> Self {
        let mut mixed = seed;
        let state = std::array::from_fn(|_| {
            mixed = mixed.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = mixed;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        });
        Prng { state }
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        let s = &mut self.state;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let shifted = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= shifted;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// A number below `bound`; zero when `bound` is zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// Fills with pseudo-random bytes.
    pub fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            let bytes = self.next_u64().to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
    }
}

/// The operating system's randomness.
#[derive(Debug)]
pub struct SystemRng {
    fast: Mutex<Prng>,
    device: Mutex<fs::File>,
}

impl SystemRng {
    /// Opens the system's random device and seeds the fast generator from it.
    pub fn new() -> Result<Self> {
        const DEVICE: &str = "/dev/urandom";
        let mut device = fs::File::open(DEVICE).map_err(|e| io_error("open file", DEVICE, &e))?;
        let mut seed = [0; 8];
        device.read_exact(&mut seed).map_err(|e| io_error("read file", DEVICE, &e))?;
        let fast = Mutex::new(Prng::new(u64::from_le_bytes(seed)));
        Ok(SystemRng { fast, device: Mutex::new(device) })
    }
}

impl Rng for SystemRng {
    fn next_u64(&self) -> u64 {
        self.fast.lock().next_u64()
    }

    fn fill(&self, out: &mut [u8]) {
        self.device
            .lock()
            .read_exact(out)
            .expect("an open random device never fails and never ends");
    }
}

//! Tests of the log through its public face: scripted dialogues, simulated crashes, real threads.

mod crashes;
mod damage;
mod scripts;
mod threads;

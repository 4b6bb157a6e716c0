//! How long the blazesym crate takes for an address that it was asked for before: PROGRAM
//! ADDRESSES; prints the nanoseconds of the best pass.
use std::{env, fs, time::Instant};

use blazesym::symbolize::source::{Elf, Source};
use blazesym::symbolize::{Input, Symbolizer};

const PASSES: usize = 10;

fn main() {
    let [program, file] = [1, 2].map(|row| env::args().nth(row).expect("PROGRAM ADDRESSES"));
    let text = fs::read_to_string(file).expect("addresses");
    let parse = |line: &str| u64::from_str_radix(line.trim_start_matches("0x"), 16);
    let addresses: Vec<u64> = text.lines().map(|line| parse(line).expect("hexadecimal")).collect();
    let source = Source::Elf(Elf::new(program));
    let symbolizer = Symbolizer::new();
    let mut best = f64::INFINITY;
    for _ in 0..PASSES {
        let start = Instant::now();
        let found = symbolizer.symbolize(&source, Input::VirtOffset(&addresses)).expect("a program");
        assert_eq!(found.len(), addresses.len());
        best = best.min(start.elapsed().as_secs_f64());
    }
    println!("{}", best * 1e9 / addresses.len() as f64);
}

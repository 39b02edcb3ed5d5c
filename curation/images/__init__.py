"""Pictures to views: licences, decoding, perceptual hashes, the duplicate rule, exported bytes."""

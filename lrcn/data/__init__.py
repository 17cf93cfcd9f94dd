"""Lists, media, clips and records: everything up to a `tf.data` pipeline."""

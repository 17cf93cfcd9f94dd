#!/bin/sh
# make demo: the LSTM and, for comparison, the single frame network on rendered videos whose class
# is a motion, so that only a network that looks through time can tell them apart.
set -eu
folder=${1:-demo}
train() {
  echo "== train and evaluate: workflow=$1" >&2
  lrcn train "workflow=$1" "epochs=$2" "hydra.run.dir=$folder/$1" "evaluate=[test]"
}
train lstm 16
train singleframe 8  # it stays at chance however long it trains
echo "== predict: a video that neither network has seen" >&2
python scripts/render_video.py "$folder/clockwise.mp4" --motion clockwise
lrcn predict "run=$folder/lstm" "input=$folder/clockwise.mp4" top_k=3 \
  "overlay=$folder/clockwise_labelled.mp4"
echo "== video accuracy on the test videos" >&2
for workflow in lstm singleframe; do
  printf '%s ' "$workflow"
  python -c 'import json, sys; print(json.load(open(sys.argv[1]))["video_accuracy"])' \
    "$folder/$workflow/evaluation/test/metrics.json"
done
cat >&2 <<END
pictures: $folder/lstm/curves.png
          $folder/lstm/evaluation/test/confusion.png
          $folder/singleframe/evaluation/test/confusion.png
video:    $folder/clockwise_labelled.mp4
next:     the five commands of README.md, with your own videos
END

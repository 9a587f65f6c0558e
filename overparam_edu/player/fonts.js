// What the players and questions of a page share, though each brings its own copy of this file: who has
// asked a kernel for plotly.js (player.js), and for the font of formulas.

const MATH_FONT = "STIX Two Math";
const page = () => (window.overparamEduPage ??= { plotly: null, arrived: null, font: false });

// Few systems have a font that can lower a subscript. A page asks for one once, and does without it
// until it is there.
function loadMathFont(ask) {
  if (!ask || page().font || [...document.fonts].some(({ family }) => family.includes(MATH_FONT))) return;
  page().font = true;
  ask("font");
}

function takeMathFont(source) {
  document.fonts.add(new FontFace(MATH_FONT, source));
}

